"""Makes what an installation needs once: keys, certificates, the bus's configuration.

Runs as a Job at each installation and upgrade, and ends. What is there already stays.
"""

"""Messages, subjects and the life of a promotion: what all services agree on.

Pure: nothing here reads a file, a clock, the environment or the network.
"""

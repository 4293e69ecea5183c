"""Everything on one machine: a forge, a cluster directory, the demonstration.

For demonstrations and tests only.
"""

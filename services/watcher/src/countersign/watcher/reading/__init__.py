"""Clusters and directories, read: which objects exist now, and where that is not known."""

"""Stored tokens, read for one check from the cluster or from files."""

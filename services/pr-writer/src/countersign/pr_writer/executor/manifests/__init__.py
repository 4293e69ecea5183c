"""Finds and writes the marked values of a repository's files."""

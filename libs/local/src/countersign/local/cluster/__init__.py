"""Plays Flux on a directory: what is merged appears as objects with the status Flux would write.

For demonstrations and tests only: nothing is deployed. It owns the objects it wrote and leaves
others in the directory alone.
"""

"""The git repositories of the local forge."""

"""The REST API of the local forge."""

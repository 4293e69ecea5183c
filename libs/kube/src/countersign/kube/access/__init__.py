"""Single questions to an API server."""

"""The pull request."""

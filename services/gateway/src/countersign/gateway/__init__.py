"""The human's view."""

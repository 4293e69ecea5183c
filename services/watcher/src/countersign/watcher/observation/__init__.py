"""Observing Pipelines and publishing what follows from it."""

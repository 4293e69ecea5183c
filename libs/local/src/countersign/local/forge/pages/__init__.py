"""The pages of the local forge."""

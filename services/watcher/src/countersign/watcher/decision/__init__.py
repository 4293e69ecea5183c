"""Deciding what should be promoted, and what stands in the way. Pure."""

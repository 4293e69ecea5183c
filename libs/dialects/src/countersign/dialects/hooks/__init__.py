"""Webhooks of forges: how they prove themselves, and what they tell of a pull request."""

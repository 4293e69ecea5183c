"""Asking a forge about a stored token, and judging the answer."""

"""Tokens that people delegate: how a forge gives, narrows and ends them, and which are refused."""

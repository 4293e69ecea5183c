"""Durable consumers: one message handled, settled, acknowledged."""

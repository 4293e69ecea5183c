"""Streams replayed and then followed, without consumers."""

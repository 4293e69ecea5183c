"""Flux's controllers, played."""

"""Bounds for what comes from outside: it fills no memory and keeps no process busy."""

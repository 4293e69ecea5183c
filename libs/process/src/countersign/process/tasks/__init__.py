"""Tasks: those that never end, and those that must not be interrupted."""

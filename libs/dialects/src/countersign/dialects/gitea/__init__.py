"""Gitea and Forgejo: one dialect, and the few places where the two differ."""

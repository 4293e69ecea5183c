"""The past of a promotion, moment by moment."""

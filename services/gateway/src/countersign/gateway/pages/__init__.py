"""Pages to look at, the forms on them, and their streams of changes."""

"""Data rendered as HTML, and the files that pages need."""

"""GitHub, at github.com and as an Enterprise Server."""

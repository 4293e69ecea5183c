"""GitHub.com and GitHub Enterprise Server."""

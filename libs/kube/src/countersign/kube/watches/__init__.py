"""Lists and watches of an API server, kept up to date."""

"""The demonstration walked by itself, and the search for leaked tokens."""

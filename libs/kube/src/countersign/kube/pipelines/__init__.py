"""Pipeline objects, parsed."""

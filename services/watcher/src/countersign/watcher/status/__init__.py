"""A Pipeline's own status and Events, written on change."""

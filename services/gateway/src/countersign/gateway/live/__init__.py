"""Changes on their way to open pages."""

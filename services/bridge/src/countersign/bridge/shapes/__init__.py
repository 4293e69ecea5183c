"""Bodies and headers that destinations expect. Pure."""

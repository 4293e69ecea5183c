"""Takes jobs from the bus and publishes their outcomes. Reads no answer of a forge."""

"""Whatever makes the watcher look again. Nothing in a hint is believed."""

"""The watcher: it sees what runs where, and asks for what should be promoted."""

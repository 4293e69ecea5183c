"""Faults of what we were given become words: settings, documents, files, connections."""

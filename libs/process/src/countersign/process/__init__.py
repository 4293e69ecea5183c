"""Everything that runs a process from start to end: settings, health, serving, secret files."""

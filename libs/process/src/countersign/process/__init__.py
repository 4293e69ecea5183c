"""What runs a process from its start to its end: settings, health, serving, secret files."""

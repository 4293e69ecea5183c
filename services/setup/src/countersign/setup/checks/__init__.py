"""`countersign-check`: an installation is looked at from inside."""

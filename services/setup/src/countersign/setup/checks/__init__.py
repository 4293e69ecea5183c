"""An installation is looked at from inside: each thing it needs is tried, and what to do said."""

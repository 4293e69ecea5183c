"""A person's consent: the right to give it, and its recording."""

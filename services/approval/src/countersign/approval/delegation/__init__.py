"""Delegations: a code becomes a token, and one executor gets it."""

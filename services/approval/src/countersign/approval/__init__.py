"""Consent, OAuth and the vault."""

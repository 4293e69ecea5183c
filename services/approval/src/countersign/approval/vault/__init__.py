"""Tokens and begun sign-ins, held in memory, encrypted, for minutes."""

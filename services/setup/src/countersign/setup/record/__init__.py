"""The record is sealed, verified and written out, by the administrator and no service."""

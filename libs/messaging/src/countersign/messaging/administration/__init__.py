"""Servers configured and streams provisioned, by the one user who may."""

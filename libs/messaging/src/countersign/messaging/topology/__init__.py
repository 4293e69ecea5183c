"""Streams, consumers and the permissions of NATS users, as data."""

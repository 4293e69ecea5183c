"""Logs, traces, metrics and health: how a service is seen from outside.

Nothing leaves it unredacted, and nothing in it can stop a service that works.
"""

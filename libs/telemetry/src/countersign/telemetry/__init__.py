"""Logs, traces and metrics, with secrets kept out of all of them.

Nothing in it can stop a service that works.
"""

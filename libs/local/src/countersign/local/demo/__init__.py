"""The demonstration: everything on loopback, as processes, from one command.

It starts and stops what others wrote and holds no rule of its own. Nothing here is for production.
"""

"""A stand-in for GitHub on one machine: repositories, pull requests, sign-in, tokens.

For demonstrations and tests only: people share one password and nothing here was hardened
against the people who use it. It must not be reachable from another machine.
"""

"""Reads files of repositories. Has no network, no token and little memory."""

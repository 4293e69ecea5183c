"""Looks after stored credentials: whose they are, what they may do, how long they last."""

"""Promotions and approvals as the stream has them, and the publishing of new ones."""

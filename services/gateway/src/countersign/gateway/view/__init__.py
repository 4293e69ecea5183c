"""Boards, gates, records and credentials as data. Pure but for the projection's fold."""

"""Repositories at any forge: what a promotion needs of one, in no forge's own words."""

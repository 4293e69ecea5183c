"""What runs where, and what should be promoted."""

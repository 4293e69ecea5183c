"""The end of delegations: used, expired, rejected, shut down."""

"""The GraphQL API of the local forge."""

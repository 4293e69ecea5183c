"""Users, repositories, pull requests and tokens of the local forge."""

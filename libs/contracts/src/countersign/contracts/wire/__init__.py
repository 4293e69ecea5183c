"""Names of messages on the wire, for programs that are not ours."""

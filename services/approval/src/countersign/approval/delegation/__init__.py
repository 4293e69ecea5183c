"""From a code to a token, and from the token to one executor."""

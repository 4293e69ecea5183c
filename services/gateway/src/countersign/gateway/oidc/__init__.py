"""Sign-in at the organisation's OpenID Connect provider."""

"""Questions of a security reviewer, answered as data: who, with what, until when."""

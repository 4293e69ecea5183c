"""The forges' dialects: requests built and answers read without I/O, one client for all."""

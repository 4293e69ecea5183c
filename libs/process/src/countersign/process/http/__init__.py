"""The HTTP edge of a process: sockets, slow clients, health."""

"""A venue of our own: a synthetic market or a recording, served over real sockets on loopback by a process of its own."""

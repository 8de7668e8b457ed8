"""Sockets and HTTP, with limits; the only room that opens connections to the outside."""

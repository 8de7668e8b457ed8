"""Chaos on real threads, sockets and files: actors, the venue's process and the disk fail at random, and nothing may be lost or left."""

"""Simulated venues: a synthetic market or a recording, served on loopback by a child process."""

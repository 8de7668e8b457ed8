"""Durable events: blocks in a store that survives `kill -9`, read while they are written."""

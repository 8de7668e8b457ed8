"""Benchmarks: each measures against its baseline in the same run and prints JSON lines. `make bench`."""

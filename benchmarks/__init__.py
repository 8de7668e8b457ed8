"""Benchmarks of the package: `make bench` prints one JSON object per line."""

"""Venue adapters without I/O, one folder for each venue."""

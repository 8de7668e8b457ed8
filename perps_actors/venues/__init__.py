"""Venues, sans-I/O: one folder a venue, state machines from text to market events and back."""

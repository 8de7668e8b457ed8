"""Deterministic exploration: planned failures of whole systems in virtual time."""

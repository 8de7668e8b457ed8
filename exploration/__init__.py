"""Deterministic exploration: whole systems under the simulated runtime, one a seed, harmed and held to what must always be true."""

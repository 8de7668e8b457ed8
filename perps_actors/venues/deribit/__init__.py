"""Deribit, and what its gateways have in common with it."""

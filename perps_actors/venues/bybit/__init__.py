"""Bybit's linear and inverse contracts (v5)."""

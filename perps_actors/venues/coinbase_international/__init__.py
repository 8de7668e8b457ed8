"""Coinbase's international perpetuals since 2026-10: Deribit's format behind a gateway of their own."""

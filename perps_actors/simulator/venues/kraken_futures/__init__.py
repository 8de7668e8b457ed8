"""The server side of kraken_futures, for simulated and recorded venues."""

"""The server side of bybit, for simulated and recorded venues."""

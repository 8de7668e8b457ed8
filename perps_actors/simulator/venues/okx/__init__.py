"""The server side of okx, for simulated and recorded venues."""

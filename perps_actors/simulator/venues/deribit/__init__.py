"""The server side of deribit, for simulated and recorded venues."""

"""The server side of bitmex, for simulated and recorded venues."""

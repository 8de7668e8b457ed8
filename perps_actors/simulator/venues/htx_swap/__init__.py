"""The server side of htx_swap, for simulated and recorded venues."""

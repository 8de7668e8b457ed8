"""The server side of binance_futures, for simulated and recorded venues."""

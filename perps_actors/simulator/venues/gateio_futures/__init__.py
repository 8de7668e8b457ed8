"""The server side of gateio_futures, for simulated and recorded venues."""

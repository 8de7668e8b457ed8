"""OKX's perpetual swaps and dated futures (v5)."""

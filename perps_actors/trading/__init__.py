"""Pure rules of trading: risk, orders, portfolio."""

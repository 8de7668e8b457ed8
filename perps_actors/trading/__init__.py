"""Pure rules of trading and its risks."""

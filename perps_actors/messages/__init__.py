"""What actors say to one another: frozen values, one module a conversation."""

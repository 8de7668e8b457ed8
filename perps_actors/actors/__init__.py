"""The actors: one a module, thin shells around plain rules of the rooms below."""

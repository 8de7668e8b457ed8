"""Code that venue adapters share: books, per-symbol state, subscriptions, fields, REST answers."""

"""Random failures of actors, venue and disk on real threads: nothing may be lost."""

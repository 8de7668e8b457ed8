"""The command line, one module a verb; everything it does is done by the rooms below."""

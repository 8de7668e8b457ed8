"""Pure market values and rules: no threads, no clock, no I/O."""

"""Pure mathematics on counts and sums: no I/O, no clock, no global random state."""

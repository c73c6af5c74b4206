"""A stream of rows: JSON Lines in, an answer each out, in order, as they come."""

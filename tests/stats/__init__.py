"""Laws of the mathematics: published values, brute force, other libraries."""

"""Laws of the program, file for file."""

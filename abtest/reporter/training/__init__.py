"""A report of training, told to people: summary, figures, and one file an output."""

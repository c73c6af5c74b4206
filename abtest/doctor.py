"""What is installed, reachable and missing here, with a hint for each."""

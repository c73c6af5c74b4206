"""Reports that are there already: drawn again, and listed on one page."""

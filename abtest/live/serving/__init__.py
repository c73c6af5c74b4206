"""A model that answers requests: rows of JSON held against its signature, and asked without what slows one row."""

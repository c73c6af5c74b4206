"""A comparison in; something to read out, for people, for CI and for MLflow."""

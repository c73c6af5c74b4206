"""Scoring in bulk: a file of rows in, a file of predictions out; or a row typed by hand."""

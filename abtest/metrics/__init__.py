"""Outcomes in, one number a side out."""

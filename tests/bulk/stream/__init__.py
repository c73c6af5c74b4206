"""Tests of scoring in bulk."""

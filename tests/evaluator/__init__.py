"""Tests of the evaluator, file for file."""

"""Tests of abtest/training, file for file."""

"""Tests of live traffic, file for file."""

"""Tests of the store of live traffic, file for file."""

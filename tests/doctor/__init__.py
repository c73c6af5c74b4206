"""Tests of the cache, file for file."""

"""Tests of engines, file for file."""

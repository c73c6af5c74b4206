"""Tests of loaders, file for file."""

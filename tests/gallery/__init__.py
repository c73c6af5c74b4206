"""Tests of abtest/gallery, file for file."""

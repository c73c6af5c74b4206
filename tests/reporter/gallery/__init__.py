"""Tests of abtest/reporter/gallery, file for file."""

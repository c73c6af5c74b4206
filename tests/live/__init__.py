"""Tests of abtest/live."""

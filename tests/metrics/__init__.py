"""Tests of abtest.metrics."""

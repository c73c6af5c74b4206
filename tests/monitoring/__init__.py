"""Tests of abtest.monitoring."""

"""Tests of abtest/monitoring, file for file."""

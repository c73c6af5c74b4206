"""Tests of abtest/live/metering."""

"""Tests of abtest/live/writing."""

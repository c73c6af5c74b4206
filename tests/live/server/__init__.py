"""Tests of abtest/live/server."""

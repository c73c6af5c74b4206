"""Reports of monitoring."""

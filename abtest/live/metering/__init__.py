"""What a server counts, and how its experiment stands, as Prometheus reads it."""

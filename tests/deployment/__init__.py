"""abtest on real servers: PostgreSQL, an S3 store, and MLflow over HTTP with and without passwords."""

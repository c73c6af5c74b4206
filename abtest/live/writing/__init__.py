"""Off the request's path into the log: a bounded queue, one thread, batches, and a group commit for those who wait."""

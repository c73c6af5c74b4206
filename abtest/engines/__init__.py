"""Where rows are scored and tallied. The numbers do not depend on it."""

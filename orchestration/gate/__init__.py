"""The gate before settlement: Great Expectations over facts of a posting; any doubt stops it."""

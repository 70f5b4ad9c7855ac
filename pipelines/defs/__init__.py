"""Dagster: what is computed from the warehouse, one file per concern; `pipelines.definitions` assembles them."""

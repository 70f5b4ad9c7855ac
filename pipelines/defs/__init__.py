"""Dagster: the marts as assets, their checks, and the jobs beside the stream. Assembled by `pipelines.definitions`."""

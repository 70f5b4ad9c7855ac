"""Moves data: sources, stages, the stream, alerts and the Dagster jobs. The only package that imports Kafka or Dagster."""

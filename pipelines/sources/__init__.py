"""Where messages come from: Kafka and OTLP files behind one protocol (:class:`pipelines.sources.base.Source`)."""

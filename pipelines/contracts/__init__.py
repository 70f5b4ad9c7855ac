"""What comes in and goes out: OTLP and its dialects, the catalog, alert events."""

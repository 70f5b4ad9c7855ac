"""The HTTP API: incidents read, and acknowledged, silenced, resolved and reopened, by programs and by the dashboard."""

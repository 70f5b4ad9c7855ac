"""Building blocks that several kinds of workflow share: argument shapes, models, the falling use of sources."""

from __future__ import annotations

from .template import Model, Tool

CUSTOMER = ('{"customer_id":"CUS-', 1_000_000, '"}')
NOTE = ('{"case_id":"CASE-', 1_000_000, '","note":"NOTE-', 10_000, '"}')
NOTICE = ('{"customer_id":"CUS-', 1_000_000, '","template":"T-', 100, '","channel":"email"}')
TICKET = ('{"title":"INC-', 100_000, '","severity":', 10, ',"labels":["agent"]}')
GPT = Model("openai", "gpt-4.1", "gpt-4.1-2025-04-14", 0.97)
GPT_MINI = Model("openai", "gpt-4.1-mini", "gpt-4.1-mini-2025-04-14", 0.03)
SONNET = "claude-sonnet-4-5", "claude-sonnet-4-5-20250929"
HAIKU = "claude-haiku-4-5", "claude-haiku-4-5-20251001"


def case_note() -> Tool:
    """Return the note-taking tool that several desks share."""
    return Tool("add_case_note", "write", 0.006, 90, 40, (NOTE,))


def sources(prefix: str, *names: str) -> tuple[tuple[str, float], ...]:
    """Sources with shares falling like 1 / rank ** 0.7, as the use of a knowledge base does."""
    weights = [1 / (rank + 1) ** 0.7 for rank in range(len(names))]
    return tuple((f"{prefix}/{name}", weight / sum(weights)) for name, weight in zip(names, weights, strict=True))

"""The fleet that pages are tested with, and what drifts in it (`tests.dashboards.fleet` makes the rows)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple

START = datetime(2026, 3, 2)

# name, runs a day, cost of a run in US dollars, success probability, model
WORKFLOWS = (
    ("claims-triage", 190, 0.031, 0.94, "gpt-4.1-mini"),
    ("invoice-matching", 240, 0.018, 0.91, "gpt-4.1"),
    ("contract-review", 60, 0.42, 0.86, "claude-sonnet-4"),
    ("customer-refunds", 310, 0.024, 0.89, "gpt-4.1-mini"),
    ("it-helpdesk", 270, 0.011, 0.95, "gpt-4.1-mini"),
    ("supplier-onboarding", 45, 0.16, 0.82, "in-house-70b"),
)

TEAMS = {
    "claims-triage": "claims",
    "invoice-matching": "finance",
    "contract-review": "legal",
    "customer-refunds": "support",
    "it-helpdesk": "support",
    "supplier-onboarding": "finance",
}
COST_CENTERS = {"claims": "cc-100", "finance": "cc-200", "legal": "cc-300", "support": "cc-400"}


class Drift(NamedTuple):
    """One injected drift and what its signal says."""

    family: str
    workflow: str
    metric: str
    dimension: str
    kind: str
    unit: str
    before: float
    after: float
    onset: timedelta
    headline: str
    cause: str | None
    containment: str
    detail: dict[str, Any] | None


DRIFTS = (
    Drift("tool", "invoice-matching", "tool_error", "ledger.lookup", "rate", "ratio", 0.021, 0.187, timedelta(days=4, hours=14),
     "Error rate of ledger.lookup rose from 2.1 % to 18.7 %", "release 2.4.1 began 11 min before the onset",
     "Pin invoice-matching to release 2.4.0", None),
    Drift("cost", "contract-review", "cost_usd_per_run", "", "continuous", "usd", 0.42, 0.61, timedelta(days=5, hours=2),
     "Cost per run rose from $0.42 to $0.61", "prompt version 9 replaced 8", "Return to prompt version 8", None),
    Drift("behavior", "claims-triage", "steps_per_run", "", "continuous", "steps", 6.1, 8.9, timedelta(days=4, hours=20),
     "Runs take 8.9 steps instead of 6.1", None, "Compare the paths of the evidence runs", None),
    Drift("data", "customer-refunds", "retrieval_source", "", "mix", "total_variation", 0.0, 0.55, timedelta(days=3, hours=9),
     "Retrieval moved to a new source", "source kb-2026 was first seen 4 min before the onset",
     "Check the index that serves kb-2026",
     {"new_categories": ["kb-2026"], "shares": [{"category": "new", "before": 0.0, "after": 0.55},
      {"category": "kb-2025", "before": 0.71, "after": 0.22}, {"category": "tickets", "before": 0.24, "after": 0.2}]}),
    Drift("policy", "it-helpdesk", "denied", "", "rate", "ratio", 0.011, 0.064, timedelta(days=5, hours=19),
     "Denied share of policy decisions rose from 1.1 % to 6.4 %", "policy access version 12 took effect",
     "Review rule no-admin-grant of policy access", None),
)  # fmt: skip

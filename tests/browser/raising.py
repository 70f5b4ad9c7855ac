"""Raise an incident as a detecting worker does, in its own process: ``python -m tests.browser.raising WAREHOUSE HEADLINE``."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from pathlib import Path

from pipelines.alerts.store import record
from warehouse import Warehouse

# Within the week of the small fleet, and later than its other incidents.
AT = datetime(2026, 3, 8, 20, 30)


def raise_one(path: Path, headline: str) -> None:
    signal = {
        "workflow": "supplier-onboarding", "family": "tool", "metric": "tool_error", "dimension": "registry.lookup",
        "kind": "rate", "detector": "ShiryaevRoberts", "at": AT, "onset_at": AT - timedelta(hours=1), "log_e": 11.0,
        "threshold": 9.2, "before_value": 0.02, "after_value": 0.3, "effect": 0.28, "unit": "ratio", "n_before": 900,
        "n_after": 40, "headline": headline, "run_ids": ["run-1"],
    }  # fmt: skip
    with Warehouse.open(path) as warehouse:
        record([signal], warehouse)


if __name__ == "__main__":
    raise_one(Path(sys.argv[1]), sys.argv[2])

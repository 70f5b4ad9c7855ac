"""What the generated traffic is known to hold: written to ``truth.json``, compared with what the product finds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from .drift import Drift
from .fleet import Workflow
from .table import OUTCOMES, RUN, SUCCESS, Rows

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Truth:
    """The known contents of one simulation.

    Attributes
    ----------
    spans, runs : int
        Distinct ones; ``delivered_spans`` counts the repeated deliveries as well.
    runs_by_workflow, successes_by_workflow : dict
    outcomes : dict
        Runs by outcome; ``untold`` where the trace does not say.
    drifts : tuple of Drift
        By time of injection.
    files : tuple of str
        Names below the output directory, in order of time.
    """

    seed: int
    started_at: datetime
    ended_at: datetime
    spans: int
    delivered_spans: int
    runs: int
    workflows: tuple[str, ...]
    runs_by_workflow: dict[str, int]
    successes_by_workflow: dict[str, int]
    outcomes: dict[str, int]
    drifts: tuple[Drift, ...]
    files: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """Return the content of ``truth.json``."""
        return {
            "seed": self.seed,
            "started_at": self.started_at.isoformat(),
            "ended_at": self.ended_at.isoformat(),
            "spans": self.spans,
            "delivered_spans": self.delivered_spans,
            "runs": self.runs,
            "workflows": list(self.workflows),
            "runs_by_workflow": self.runs_by_workflow,
            "successes_by_workflow": self.successes_by_workflow,
            "outcomes": self.outcomes,
            "drifts": [
                {
                    "name": drift.name,
                    "family": drift.family,
                    "expected_metrics": list(drift.metrics),
                    "workflow": drift.workflow,
                    "injected_at": instant(drift.injected_at).isoformat(),
                    "undone_at": instant(drift.undone_at).isoformat() if drift.undone_at is not None else None,
                    "strength": drift.strength,
                    "unit": drift.unit,
                    "before": drift.before,
                    "after": drift.after,
                    "cause": drift.cause or None,
                    "description": drift.description,
                }
                for drift in self.drifts
            ],
            "files": list(self.files),
        }

    def write(self, path: Path) -> None:
        """Write ``truth.json``."""
        path.write_text(json.dumps(self.document(), indent=1) + "\n", encoding="utf-8")


class Tally:
    """Counts spans, runs and outcomes while they are generated."""

    def __init__(self, workflows: int) -> None:
        self.spans = 0
        self._runs = np.zeros((workflows, len(OUTCOMES) + 1), np.int64)  # the last column is untold

    def add(self, spans: Rows) -> None:
        """Count new spans."""
        self.spans += len(spans)
        roots = spans["kind"] == RUN
        outcome = spans["outcome"][roots]
        np.add.at(self._runs, (spans["workflow"][roots], np.where(outcome < 0, len(OUTCOMES), outcome)), 1)

    def figures(self, members: tuple[Workflow, ...]) -> dict[str, Any]:
        """Return the counts as :class:`Truth` names them."""
        names = [member.name for member in members]
        return {
            "spans": self.spans,
            "runs": int(self._runs.sum()),
            "workflows": tuple(names),
            "runs_by_workflow": dict(zip(names, self._runs.sum(axis=1).tolist(), strict=True)),
            "successes_by_workflow": dict(zip(names, self._runs[:, SUCCESS].tolist(), strict=True)),
            "outcomes": dict(zip((*OUTCOMES, "untold"), self._runs.sum(axis=0).tolist(), strict=True)),
        }


def instant(microseconds: int) -> datetime:
    """Return the UTC time of microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=microseconds)

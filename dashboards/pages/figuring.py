"""From a `dashboards.data.View` to the numbers of the scorecard: now, before, per workflow. Pure; no components."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from dashboards import words
from dashboards.cohorts import is_ratio_within_noise, rolled
from dashboards.data import View

FLEET = "(fleet)"
OPEN_STATES = ("open", "acknowledged")


@dataclass(frozen=True, slots=True)
class Share:
    """A ratio now, before, and over time; None is unknown. `whole` is what it rests on; `noise` says whether
    sampling alone explains the change.
    """

    now: float | None
    before: float | None
    whole: float
    noise: bool | None
    trend: Sequence[float | None]
    split: int


@dataclass(frozen=True, slots=True)
class Figured:
    """The numbers of the scorecard.

    Parameters
    ----------
    now, before : dict
        `rolled` row of the fleet (or the chosen workflow); `before` is None without a comparable period.
    cost_change : Delta | None
    points : pl.DataFrame
        `rolled` by ``bucket_at``; the current period starts at row `split`.
    workflows : list of dict
        `rolled` row per workflow of the current period.
    before_by_workflow, points_by_workflow : dict
    reuse, policy : Share
    reuse_by_workflow, policy_by_workflow : dict
        Ratio of the current period.
    readiness : dict
        Row of ``rollback_readiness`` per workflow.
    weakest : dict | None
        The workflow with the least readiness, one that is not proven first.
    proven : int
        Workflows whose readiness is known.
    open_rows : list of dict
        Open incidents, the newest first; `open_by_workflow` counts them.
    opened : int
        Incidents detected in the current period.
    """

    now: dict[str, Any]
    before: dict[str, Any] | None
    cost_change: words.Delta | None
    points: pl.DataFrame
    split: int
    workflows: list[dict[str, Any]]
    before_by_workflow: dict[str, dict[str, Any]]
    points_by_workflow: dict[str, pl.DataFrame]
    reuse: Share
    policy: Share
    reuse_by_workflow: dict[str, float | None]
    policy_by_workflow: dict[str, float | None]
    readiness: dict[str, dict[str, Any]]
    weakest: dict[str, Any] | None
    proven: int
    open_rows: list[dict[str, Any]]
    open_by_workflow: dict[str, int]
    opened: int

    @property
    def open_incidents(self) -> int:
        """Number of open incidents."""
        return len(self.open_rows)

    def verdict(self, workflow: str) -> words.Verdict:
        """What the figures of `workflow` say together."""
        row = next(row for row in self.workflows if row["workflow"] == workflow)
        return words.verdict(
            row,
            self.before_by_workflow.get(workflow),
            self.open_by_workflow.get(workflow, 0),
            self.readiness.get(workflow),
        )


def figured(view: View) -> Figured:
    """The numbers of `view`, each ratio made of sums of its own group."""
    current = view.cohorts.filter(pl.col("span") == "current")
    earlier = view.cohorts.filter(pl.col("span") == "previous")
    now = rolled(current).row(0, named=True)
    before = rolled(earlier).row(0, named=True) if view.window.is_comparable and earlier.height else None
    points = rolled(view.cohorts, "bucket_at")
    workflows = rolled(current, "workflow").to_dicts()
    by_workflow = rolled(view.cohorts, "workflow", "bucket_at")
    points_of, nothing = by_workflow.partition_by("workflow", as_dict=True, maintain_order=True), by_workflow.clear()
    readiness = {row["workflow"]: row for row in view.rollback.to_dicts() if row["workflow"] != FLEET}
    open_rows = view.incidents.filter(pl.col("state").is_in(OPEN_STATES)).to_dicts()
    open_by_workflow: dict[str, int] = {}
    for row in open_rows:
        open_by_workflow[row["workflow"]] = open_by_workflow.get(row["workflow"], 0) + 1
    fleet_reuse = view.reuse if view.filters.workflow else view.reuse.filter(pl.col("workflow") == FLEET)
    reuse_columns = ("certified_shared_invocations", "invocations")
    policy_columns = ("allowed", "decisions")
    return Figured(
        now=now,
        before=before,
        cost_change=words.changed(
            now["cost_per_success_usd"],
            before["cost_per_success_usd"] if before else None,
            against=view.window.previous_name,
            lower_is_better=True,
            noise=words.cost_noise(now, before),
        ),
        points=points,
        split=points.filter(pl.col("bucket_at") < view.window.start).height,
        workflows=workflows,
        before_by_workflow={row["workflow"]: row for row in rolled(earlier, "workflow").to_dicts()} if before else {},
        points_by_workflow={row["workflow"]: points_of.get((row["workflow"],), nothing) for row in workflows},
        reuse=_share(fleet_reuse, *reuse_columns),
        policy=_share(view.policy, *policy_columns),
        reuse_by_workflow=_by_workflow(view.reuse, *reuse_columns),
        policy_by_workflow=_by_workflow(view.policy, *policy_columns),
        readiness=readiness,
        weakest=min(readiness.values(), key=lambda row: (row["score"] is not None, row["score"] or 0.0), default=None),
        proven=sum(row["score"] is not None for row in readiness.values()),
        open_rows=open_rows,
        open_by_workflow=open_by_workflow,
        opened=view.incidents.filter(pl.col("opened_at") >= view.window.start).height,
    )


def _share(frame: pl.DataFrame, part: str, whole: str) -> Share:
    current, earlier = frame.filter(pl.col("span") == "current"), frame.filter(pl.col("span") == "previous")
    points = frame.group_by("bucket_at").agg(pl.col(part, whole).sum()).sort("bucket_at")
    return Share(
        now=_ratio(current, part, whole),
        before=_ratio(earlier, part, whole),
        whole=_sums(current, part, whole)[1],
        noise=is_ratio_within_noise(*_sums(current, part, whole), *_sums(earlier, part, whole)),
        trend=[row[part] / row[whole] if row[whole] else None for row in points.iter_rows(named=True)],
        split=earlier["bucket_at"].n_unique(),
    )


def _sums(frame: pl.DataFrame, part: str, whole: str) -> tuple[float, float]:
    return float(frame[part].sum()), float(frame[whole].sum())


def _ratio(frame: pl.DataFrame, part: str, whole: str) -> float | None:
    amount, total = _sums(frame, part, whole)
    return amount / total if total else None


def _by_workflow(frame: pl.DataFrame, part: str, whole: str) -> dict[str, float | None]:
    current = frame.filter(pl.col("span") == "current")
    sums = current.group_by("workflow", maintain_order=True).agg(pl.col(part, whole).sum())
    return {str(name): amount / total if total else None for name, amount, total in sums.iter_rows()}

"""What the warehouse knows about a signal: runs that show it, and the version that changed near its onset."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from pipelines.alerts.wording import containment, headline
from warehouse import Warehouse

_QUERIES = Path(__file__).parent / "queries"
#: A version whose share of runs moved by less than this near the onset explains nothing.
_LEAST_SHIFT = 0.5
#: Where several moved together the first of these is named: a release carries the others.
_PRECEDENCE = ("release", "prompt_version", "policy_version", "request_model", "agent_version")
MOST_RUNS = 5


@cache
def _sql(name: str) -> str:
    return (_QUERIES / f"{name}.sql").read_text(encoding="utf-8")


def explained(signals: pl.DataFrame, warehouse: Warehouse) -> list[dict[str, Any]]:
    """Return the signals as rows with headline, run_ids, cause and containment filled in."""
    return [_explained(signal, warehouse) for signal in signals.iter_rows(named=True)]


def _explained(signal: dict[str, Any], warehouse: Warehouse) -> dict[str, Any]:
    parameters = {"workflow": signal["workflow"], "onset": signal["onset_at"], "until": signal["at"]}
    connection = warehouse.connection
    runs = connection.execute(_sql("runs_since_onset"), {**parameters, "most": MOST_RUNS}).fetchall()
    versions = connection.execute(_sql("versions_near_onset"), parameters).pl()
    cause = likely_cause(versions)
    return {
        **signal,
        "headline": headline(signal),
        "run_ids": [row[0] for row in runs],
        "cause": _cause_text(cause),
        "containment": containment(signal, cause),
    }


def likely_cause(versions: pl.DataFrame) -> dict[str, Any] | None:
    """Return the version attribute that separates before from after best, or None where none does.

    Parameters
    ----------
    versions : pl.DataFrame
        attribute, value, share_before, share_after.

    Returns
    -------
    dict or None
        attribute, before and after (values; None where there was none), shift: how much of the runs moved to the new
        value, in [0, 1].
    """
    moved = versions.with_columns(shift=pl.col("share_after") - pl.col("share_before")).drop_nulls("shift")
    if moved.is_empty():
        return None
    order = pl.col("attribute").replace_strict(list(_PRECEDENCE), list(range(len(_PRECEDENCE))), return_dtype=pl.Int64)
    risen = moved.sort(pl.col("shift").round(1), order, "value", descending=[True, False, False]).row(0, named=True)
    if risen["shift"] < _LEAST_SHIFT:
        return None
    fallen = moved.filter(pl.col("attribute") == risen["attribute"]).sort("shift").row(0, named=True)
    return {
        "attribute": risen["attribute"],
        "before": fallen["value"] if fallen["shift"] < 0 else None,
        "after": risen["value"],
        "shift": risen["shift"],
    }


def _cause_text(cause: dict[str, Any] | None) -> str | None:
    if cause is None:
        return None
    name = cause["attribute"].replace("_", " ")
    return f"{name} {cause['before'] or '(none)'} → {cause['after']} (moved {cause['shift']:.0%} of runs)"

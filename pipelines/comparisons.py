"""Every workflow's releases beside the one before: what `plumbline refresh` keeps in table ``release_comparisons``.

Between the warehouse, which adds up the runs, and `detectors.releases`, which says what that shows: the same as
``plumbline compare`` says of any pair.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import duckdb
import polars as pl

from detectors.comparison import LEAST_FOR_RATES
from detectors.releases import NEEDS_DATA, agreement, compare
from warehouse import Warehouse
from warehouse.queries import sql

TABLE = "release_comparisons"

_COLUMNS: dict[str, pl.DataType] = {
    **dict.fromkeys(("workflow", "compared_with", "from_release", "to_release"), pl.String()),
    **dict.fromkeys(("from_first_at", "to_first_at"), pl.Datetime("us")),
    **dict.fromkeys(("measure", "verdict"), pl.String()),
    **dict.fromkeys(("before_value", "after_value"), pl.Float64()),
    "unit": pl.String(),
    **dict.fromkeys(("difference", "low", "high", "relative", "margin"), pl.Float64()),
    **dict.fromkeys(("before_runs", "after_runs"), pl.Int64()),
    **dict.fromkeys(("before_coverage_ratio", "after_coverage_ratio"), pl.Float64()),
    "missing": pl.String(),
}
#: Columns of a comparison by their name in the table.
_NAMES = {
    "metric": "measure",
    "first": "before_value",
    "second": "after_value",
    "first_runs": "before_runs",
    "second_runs": "after_runs",
    "first_coverage": "before_coverage_ratio",
    "second_coverage": "after_coverage_ratio",
}


def write_comparisons(warehouse: Warehouse) -> int:
    """Rows of ``release_comparisons``, computed from `runs` as it is and put in place of the old ones in one transaction."""
    until: Any = warehouse.query("SELECT max(coalesce(ended_at, started_at)) FROM runs").item()
    found = compared_releases(warehouse).with_columns(
        as_of_at=pl.lit(until, dtype=pl.Datetime("us")), computed_at=pl.lit(datetime.now(UTC).replace(tzinfo=None))
    )

    def replace(connection: duckdb.DuckDBPyConnection) -> int:
        connection.execute("DELETE FROM release_comparisons")
        return warehouse.insert(connection, TABLE, found)

    return warehouse.transaction(replace)


def compared_releases(warehouse: Warehouse) -> pl.DataFrame:
    """The columns of ``release_comparisons`` but when they were computed, in the order of its grain's first appearance."""
    groups = _rows(warehouse, "compared_groups", workflow=None, by="release")
    baselines = warehouse.query(
        "SELECT workflow, baseline_release FROM catalog_workflows WHERE baseline_release IS NOT NULL"
    )
    named = dict(baselines.iter_rows())
    rows = [
        row
        for (workflow,), own in groups.group_by("workflow", maintain_order=True)
        for before, after, kind in _pairs(own["group"].to_list(), named.get(workflow))
        for row in _compared(own, before, after, kind)
    ]
    decisions = _rows(warehouse, "shadow_decisions", workflow=None)
    rows += [_agreed(own) for _, own in decisions.group_by("workflow", "release", maintain_order=True)]
    return pl.DataFrame(rows, schema=_COLUMNS, orient="row")


def _rows(warehouse: Warehouse, name: str, **given: Any) -> pl.DataFrame:
    return warehouse.connection.execute(sql(name), given).pl()


def _pairs(releases: list[str], baseline: str | None) -> Iterator[tuple[str, str, str]]:
    """Pairs of releases, given in the order in which they appeared, and what the first of each is to the second."""
    for before, after in pairwise(releases):
        yield before, after, "previous"
    if baseline in releases:
        for after in releases[releases.index(baseline) + 2 :]:
            yield baseline, after, "baseline"


def _compared(own: pl.DataFrame, before: str, after: str, kind: str) -> list[dict[str, object]]:
    pair = own.filter(pl.col("group").is_in([before, after]))
    began = dict(pair.select("group", "first_at").iter_rows())
    common = {
        "workflow": own["workflow"][0],
        "compared_with": kind,
        "from_release": before,
        "to_release": after,
        "from_first_at": began[before],
        "to_first_at": began[after],
    }
    return [
        {**common, **{_NAMES.get(name, name): value for name, value in row.items() if name != "meaning"}}
        for row in compare(pair, before, after).iter_rows(named=True)
    ]


def _agreed(own: pl.DataFrame) -> dict[str, object]:
    """How often one release's shadow runs decided as people did."""
    group, interval = agreement(own)
    wanted = max(LEAST_FOR_RATES - group.n, 0)
    return {
        "workflow": own["workflow"][0],
        "compared_with": "people",
        "to_release": own["release"][0],
        "to_first_at": own["started_at"].min(),
        "measure": "agreement",
        "verdict": None if interval else NEEDS_DATA,
        "after_value": group.mean if group.n else None,
        "unit": "share",
        "low": interval.low if interval else None,
        "high": interval.high if interval else None,
        "after_runs": group.n,
        "after_coverage_ratio": group.n / len(own),
        "missing": f"shadow runs that state both decisions: {wanted} more after" if wanted else None,
    }

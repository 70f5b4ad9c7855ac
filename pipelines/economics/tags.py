"""Figures by any tag: a column of the runs, or whatever attribute their root spans or resources carry.

Shared by showback and the cost of an outcome. It computes nothing of its own: the formulas are those of the marts.
"""

from __future__ import annotations

from datetime import datetime

import polars as pl

from pipelines.contracts.dialects import span_aliases
from pipelines.errors import TerminalError
from warehouse import Warehouse, marts
from warehouse.queries import sql

COLUMNS = (
    "workflow",
    "team",
    "cost_center",
    "model",
    "release",
    "agent",
    "agent_version",
    "prompt_version",
    "policy_version",
    "environment",
    "mode",
)
#: The part of a run that the tag stands in for while the marts' own SQL runs over it.
_STANDS_FOR = "agent"


def tag_runs(lake: Warehouse, by: str, since: datetime | None, until: datetime | None) -> None:
    """Put the runs of a period, each with its tag, into the connection's temporary table ``tagged_runs``.

    Parameters
    ----------
    by : str
        One of `COLUMNS`, the key of an attribute that fills one of them, or the name of any other attribute.
    since, until : datetime or None
        Bounds of the run's start, UTC, `until` excluded; None for all.

    Raises
    ------
    TerminalError
        There is no run, or none of them has the tag.
    """
    if lake.query("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'runs'").item() == 0:
        raise TerminalError("there are no runs yet", "--by", "run `plumbline refresh` first")
    given = {"column": _column(by), "key": by, "since": since, "until": until}
    lake.connection.execute(f"CREATE OR REPLACE TEMP TABLE tagged_runs AS {sql('runs_by_tag')}", given)
    runs, tagged = lake.query("SELECT count(*), count(tag) FROM tagged_runs").row(0)
    if not runs:
        raise TerminalError("no runs", "--period", "choose another one")
    if not tagged:
        raise TerminalError(
            f"no run has the tag {by[:80]!r}", "--by", f"use {', '.join(COLUMNS)}, or an attribute's name"
        )


def _column(by: str) -> str | None:
    if by in COLUMNS:
        return by
    filled = span_aliases().filter((pl.col("key") == by) & pl.col("column").is_in(COLUMNS))["column"]
    return filled[0] if len(filled) else None


def cost_per_outcome(lake: Warehouse) -> pl.DataFrame:
    """Return the rows of mart ``cost_per_outcome`` that it would have if it knew the tag of ``tagged_runs``.

    The marts' own SQL runs over these runs, so cohort, pending rule, coverage and interval are the same.

    Returns
    -------
    pl.DataFrame
        Columns of the mart; ``by`` is ``tag`` and ``name`` its value, null for runs without it.
    """
    connection, models = lake.connection, marts.models()
    shadowed = (
        ("runs", f"SELECT * EXCLUDE (tag) REPLACE (tag AS {_STANDS_FOR}) FROM tagged_runs"),  # noqa: S608 - our name
        ("cost_by_day", models["cost_by_day"].sql),
    )
    try:
        for name, select in shadowed:
            connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {select}")
        found = connection.execute(models["cost_per_outcome"].sql).pl()
    finally:
        for name, _ in shadowed:
            connection.execute(f"DROP TABLE IF EXISTS temp.{name}")
    return found.filter(pl.col("by") == _STANDS_FOR).with_columns(by=pl.lit("tag"))

"""Rollback drills: an operator says when a workflow was stopped and when the exercise ended; the traces say what it took."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import duckdb
import polars as pl

from pipelines.errors import TerminalError
from warehouse import Warehouse
from warehouse.queries import sql as query

_LONGEST = {"workflow": 200, "release": 200, "said_by": 200, "note": 2000}


@dataclass(frozen=True, slots=True)
class Drill:
    """One row of table ``drills``; times in UTC without a zone."""

    drill_id: str
    workflow: str
    release: str | None
    started_at: datetime
    stopped_at: datetime | None = None
    said_by: str | None = None
    note: str | None = None


def start(
    warehouse: Warehouse,
    workflow: str,
    at: datetime,
    *,
    release: str | None = None,
    said_by: str | None = None,
    note: str | None = None,
) -> Drill:
    """Record that a release of a workflow is stopped for exercise at `at`.

    Parameters
    ----------
    release : str | None
        Release or agent version; that of the workflow's latest run before `at`, if not given.

    Raises
    ------
    TerminalError
        No run of the workflow names a version before then, one of its drills goes on already, or a text is too long.
    """
    _within_length(workflow=workflow, release=release, said_by=said_by, note=note)

    def work(connection: duckdb.DuckDBPyConnection) -> Drill:
        going = _going_on(connection, workflow)
        if going is not None:
            raise TerminalError(
                f"a drill of it goes on since {going.started_at:%Y-%m-%d %H:%M:%S} UTC",
                f"workflow {workflow}",
                f"end it: plumbline drill stop {workflow!r}",
            )
        latest = connection.execute(query("release_in_service"), {"workflow": workflow, "at": at}).fetchone()
        if latest is None:
            raise TerminalError(
                "no run of it started before then", f"workflow {workflow}", "check its name: they stand in table runs"
            )
        stopped = release if release is not None else latest[0]
        if stopped is None:
            raise TerminalError(
                "its runs name no version that could be stopped",
                f"workflow {workflow}",
                "send plumbline.release, or say it: --release",
            )
        drill = Drill(secrets.token_hex(8), workflow, stopped, at, said_by=said_by, note=note)
        warehouse.insert(connection, "drills", _frame(drill))
        return drill

    return warehouse.transaction(work)


def stop(
    warehouse: Warehouse, workflow: str, at: datetime, *, said_by: str | None = None, note: str | None = None
) -> Drill:
    """Record that the drill which goes on ended at `at`; what is said of it replaces what was said at its start.

    Raises
    ------
    TerminalError
        None goes on, it would end before it began, or a text is too long.
    """
    _within_length(workflow=workflow, said_by=said_by, note=note)

    def work(connection: duckdb.DuckDBPyConnection) -> Drill:
        going = _going_on(connection, workflow)
        if going is None:
            raise TerminalError("no drill of it goes on", f"workflow {workflow}", "begin one: plumbline drill start")
        if at <= going.started_at:
            raise TerminalError(
                f"it began only at {going.started_at:%Y-%m-%d %H:%M:%S} UTC",
                f"workflow {workflow}",
                "give a later --at",
            )
        ended = replace(going, stopped_at=at, said_by=said_by or going.said_by, note=note or going.note)
        connection.execute("DELETE FROM drills WHERE drill_id = ?", [going.drill_id])
        warehouse.insert(connection, "drills", _frame(ended))
        return ended

    return warehouse.transaction(work)


def _going_on(connection: duckdb.DuckDBPyConnection, workflow: str) -> Drill | None:
    row = connection.execute(
        "SELECT drill_id, workflow, release, started_at, stopped_at, said_by, note FROM drills "
        "WHERE workflow = ? AND stopped_at IS NULL",
        [workflow],
    ).fetchone()
    return None if row is None else Drill(*row)


_SCHEMA: dict[str, Any] = {
    **dict.fromkeys(("drill_id", "workflow", "release"), pl.String),
    **dict.fromkeys(("started_at", "stopped_at"), pl.Datetime("us")),
    **dict.fromkeys(("said_by", "note"), pl.String),
}


def _frame(drill: Drill) -> pl.DataFrame:
    return pl.DataFrame([{name: getattr(drill, name) for name in _SCHEMA}], schema=_SCHEMA)


def _within_length(**texts: str | None) -> None:
    for name, text in texts.items():
        if text is not None and len(text) > _LONGEST[name]:
            raise TerminalError(f"{name} has {len(text):,} characters", "drill", f"at most {_LONGEST[name]:,}")

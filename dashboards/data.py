"""Read what a page shows: SQL files in `queries/`, through a read-only warehouse, into frames.

Stands between the warehouse and the figures. It never writes, and it never builds SQL out of values: they are parameters.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from dashboards.filters import Filters, Window, window
from warehouse import Warehouse, WarehouseError, read_only

QUERIES = Path(__file__).parent / "queries"

# The tables a page can't do without, and the one that says the stream has run.
MARTS = frozenset({"runs", "reuse_daily", "rollback_readiness"})


class State(Enum):
    """How far the data are."""

    EMPTY = "nothing has been streamed"
    STREAMED = "spans are there, the marts are not"
    READY = "the marts have runs"


@dataclass(frozen=True, slots=True)
class Extent:
    """What there is: the runs' time range (UTC), their number, and the values that filters offer."""

    earliest_at: datetime
    latest_at: datetime
    runs: int
    workflows: tuple[str, ...]
    environments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class View:
    """Everything one page shows, as read in one go.

    Parameters
    ----------
    filters : Filters
    window : Window
    extent : Extent
    cohorts : pl.DataFrame
        ``queries/cohorts.sql``; `dashboards.cohorts.rolled` makes ratios of it.
    policy, reuse, rollback, incidents, signals : pl.DataFrame
        The query of the same name; a page that does not show one leaves it empty.
    streamed_at : datetime | None
        Start of the newest span (UTC), to tell marts that lag behind the stream.
    """

    filters: Filters
    window: Window
    extent: Extent
    cohorts: pl.DataFrame
    policy: pl.DataFrame
    reuse: pl.DataFrame
    rollback: pl.DataFrame
    incidents: pl.DataFrame
    signals: pl.DataFrame
    streamed_at: datetime | None


@cache
def statement(name: str) -> str:
    """Text of ``queries/<name>.sql``."""
    return (QUERIES / f"{name}.sql").read_text(encoding="utf-8")


class Reader:
    """A read-only warehouse for pages, opened when the first page asks, and again when its catalog was replaced.

    Parameters
    ----------
    home : Path
        Plumbline's home; the warehouse is in ``home/warehouse``.
    """

    def __init__(self, home: Path) -> None:
        self.path = Path(home) / "warehouse"
        self._warehouse: Warehouse | None = None
        self._identity: tuple[int, int] | None = None
        self._lock = threading.RLock()

    def rows(self, name: str, params: Sequence[Any] = ()) -> pl.DataFrame:
        """Rows of ``queries/<name>.sql``.

        Raises
        ------
        WarehouseError
            If there is no warehouse.
        """
        with self._lock:
            return self._open().query(statement(name), params)

    def _open(self) -> Warehouse:
        catalog = self.path / "catalog.sqlite"
        identity = (catalog.stat().st_dev, catalog.stat().st_ino) if catalog.is_file() else None
        if identity is None:
            self.close()
            raise WarehouseError("there is no warehouse", str(self.path), "run `plumbline stream` first")
        if self._warehouse is None or identity != self._identity:
            self.close()
            self._warehouse, self._identity = read_only(self.path), identity
        return self._warehouse

    def close(self) -> None:
        """Close the warehouse; the next read opens it again."""
        with self._lock:
            if self._warehouse is not None:
                self._warehouse.close()
                self._warehouse = None

    def state(self) -> State:
        """How far the data are; a warehouse that is not there yet is `State.EMPTY`."""
        if not (self.path / "catalog.sqlite").is_file():
            return State.EMPTY
        tables = set(self.rows("tables")["table_name"])
        if "spans" not in tables or not self.rows("streamed").item(0, "spans"):
            return State.EMPTY if not tables & MARTS else self._marts_state(tables)
        return self._marts_state(tables)

    def _marts_state(self, tables: set[str]) -> State:
        return State.READY if tables >= MARTS and self.rows("extent").item(0, "runs") else State.STREAMED

    def revision(self) -> str:
        """A text that changes when a refresh or an incident changed what pages show."""
        state = self.state()
        if state is State.EMPTY:
            return state.name
        parts = [self.rows("revision").row(0)] + ([self.extent()] if state is State.READY else [])
        return repr((state.name, *parts))

    def extent(self) -> Extent:
        """What the marts hold; only to be asked in `State.READY`."""
        row = self.rows("extent").row(0, named=True)
        return Extent(
            row["earliest_at"],
            row["latest_at"],
            row["runs"],
            tuple(row["workflows"] or ()),
            tuple(row["environments"] or ()),
        )

    def view(self, filters: Filters) -> View:
        """What the pages show under `filters`; only to be asked in `State.READY`."""
        extent = self.extent()
        shown = window(filters.period, extent.earliest_at, extent.latest_at)
        spans = [shown.previous_start, shown.previous_end, shown.start, shown.end]
        scope = [*spans, filters.workflow, filters.environment, round(shown.bucket / timedelta(seconds=1))]
        incidents = self.rows("incidents", [shown.previous_start, None, filters.workflow])
        return View(
            filters=filters,
            window=shown,
            extent=extent,
            cohorts=self.rows("cohorts", scope),
            policy=self.rows("policy", scope),
            reuse=self.rows("reuse", [*spans, filters.workflow]),
            rollback=self.rows("rollback", [filters.workflow]),
            incidents=incidents,
            signals=self.rows("signals", [incidents["incident_id"].to_list()]),
            streamed_at=self.rows("streamed").item(0, "latest_at"),
        )

    def evidence(self, signal: dict[str, Any], until: datetime) -> pl.DataFrame:
        """What the runs measured around a signal's onset: columns bucket_at, value, observations; often without rows.

        Parameters
        ----------
        signal : dict
            One row of `View.signals`.
        until : datetime
            Newest moment to show (UTC).
        """
        onset, alarm = signal["onset_at"] or signal["at"], signal["at"]
        if onset is None or alarm is None:
            return pl.DataFrame()
        reach = max(timedelta(hours=24), 2 * (alarm - onset))
        start, end = onset - reach, min(alarm + reach, until + timedelta(microseconds=1))
        bucket = max(round((end - start) / timedelta(seconds=1) / 40 / 600) * 600, 600)
        scope = [signal["workflow"], start, end, bucket]
        if signal["metric"] == "tool_error":
            return self.rows("tool_values", [*scope, signal["dimension"]])
        if signal["metric"] == "denied":
            return self.rows("policy_values", scope)
        return self.rows("run_values", [*scope, signal["metric"]])

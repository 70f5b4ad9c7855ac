"""Tables that pages ask, in memory: as they are now, and the marts by hour summed by parts of days.

A statement on the lake costs some 10 ms of processor for each table before it has read a row (catalog, statistics of each column,
Parquet); on a table in memory less than one. So what a statement names is copied when it is asked for the first
time, and copied again once a later snapshot changed it. A copy is never older than the snapshot that the reader knows.

Windows of seven days and more begin at midnight and end at one and the same hour (`dashboards.filters.window`). Between these
bounds nothing finer than a part of a day is shown, so the sums by hour are kept as two rows a day, and the same statement asks a
twelfth of the rows.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import duckdb

from warehouse import Warehouse

_FOLDER = Path(__file__).parent

#: Marts that are kept by parts of days: ``NAME.sql`` sums each.
BY_HOUR = frozenset(path.stem for path in _FOLDER.glob("*.sql"))

# A table with more bytes of Parquet is asked in the lake; in memory it is five to ten times as large.
_MOST_BYTES = 8 << 20
# A changed table is copied when nothing has changed it for so many seconds: what a stream writes to is asked in the lake.
_QUIET_SECONDS = 10.0

# By their rows a scope's views tell whose a row of another table is.
_OWNERS = frozenset({"runs", "incidents", "notifications"})

_TABLE_ID = re.compile(r"[a-z_]+:(\d+)")


@dataclass(frozen=True, slots=True)
class Stored:
    """A table of the lake: its number, which a table made anew does not keep, and the bytes of its files."""

    table_id: int
    bytes: int


_GONE = Stored(-1, 0)


class Copies:
    """Copies of tables in one connection.

    Parameters
    ----------
    warehouse : Warehouse
        Whose connection holds them.
    base : str
        Where the tables themselves are found: ``lake.main``, or ``memory.main`` where a scope has put views in front of them.
    """

    def __init__(self, warehouse: Warehouse, base: str = "lake.main") -> None:
        self._connection, self._base = warehouse.connection, base
        self._stored: Mapping[str, Stored] = {}
        self._there: dict[str, set[str]] = {"main": set(), "by_day": set()}
        self._changed_at: dict[str, float] = {}
        self._hour: int | None = None
        self._path = ""
        self._connection.execute("ATTACH ':memory:' AS copies")
        self._connection.execute("CREATE SCHEMA copies.by_day")
        self._search("main")

    def know(self, stored: Mapping[str, Stored], changed: Collection[int] | None) -> None:
        """Drop what is no more as the lake has it.

        Parameters
        ----------
        stored : mapping of str to Stored
            The lake's tables.
        changed : collection of int | None
            Numbers of those that changed since the last time; None: perhaps all.
        """
        stale = {
            name
            for name, before in self._stored.items()
            if changed is None or before.table_id in changed or stored.get(name, _GONE).table_id != before.table_id
        }
        self._changed_at.update(dict.fromkeys(stale, time.monotonic()))
        # A scope's views also ask these: whose a row is.
        if self._base != "lake.main" and stale & _OWNERS:
            stale = set(self._stored)
        for schema in self._there:
            self._drop(schema, stale)
        self._stored = stored

    def part_at(self, hour: int) -> None:
        """Part the days at this hour, 0 to 23: where windows end."""
        if hour != self._hour:
            self._drop("by_day", BY_HOUR)
            self._hour = hour

    def bring(self, names: Iterable[str], params: Sequence[Any], *, by_day: bool, marts: Collection[str]) -> None:
        """Make ready what a statement names, and let it ask that.

        Parameters
        ----------
        names : iterable of str
            Tables that it names.
        params : sequence
            Its parameters: where a moment among them is no bound of parts of days, it asks the hours.
        by_day : bool
            Whether nothing finer than a day is asked.
        marts : collection of str
            Tables that only a refresh writes: they are copied at once.
        """
        named = set(names)
        in_parts = by_day and self._hour is not None and all(map(self._is_bound, params))
        for name in named & self._stored.keys():
            if name in BY_HOUR:
                if in_parts and name not in self._there["by_day"]:
                    self._put("by_day", name, _statement(name), [self._hour])
            elif name not in self._there["main"] and self._is_worth(name, name in marts):
                self._put("main", name, f"FROM {self._base}.{_quoted(name)}")
        self._search("by_day" if in_parts else "main")

    def put_views(self, statements: Mapping[str, str]) -> None:
        """Put views in place of the lake's own: these read the copies."""
        for name, sql in statements.items():
            self._connection.execute(f"CREATE OR REPLACE VIEW copies.main.{_quoted(name)} AS {sql}")

    def _is_worth(self, name: str, is_mart: bool) -> bool:
        if self._stored[name].bytes > _MOST_BYTES:
            return False
        return is_mart or time.monotonic() - self._changed_at.get(name, float("-inf")) >= _QUIET_SECONDS

    def _is_bound(self, value: Any) -> bool:
        if not isinstance(value, datetime):
            return True
        clock = timedelta(hours=value.hour, minutes=value.minute, seconds=value.second, microseconds=value.microsecond)
        return clock in (timedelta(0), timedelta(hours=self._hour or 0))

    def _put(self, schema: str, name: str, sql: str, params: Sequence[Any] = ()) -> None:
        self._search("main")
        # What does not fit into memory is asked in the lake.
        with suppress(duckdb.OutOfMemoryException):
            self._connection.execute(f"CREATE OR REPLACE TABLE copies.{schema}.{_quoted(name)} AS {sql}", list(params))
            self._there[schema].add(name)

    def _drop(self, schema: str, names: Iterable[str]) -> None:
        for name in self._there[schema].intersection(names):
            self._connection.execute(f"DROP TABLE copies.{schema}.{_quoted(name)}")
            self._there[schema].discard(name)

    def _search(self, schema: str) -> None:
        path = ",".join((["copies.by_day"] if schema == "by_day" else []) + ["copies.main", self._base])
        if path != self._path:
            self._connection.execute(f"SET search_path = '{path}'")
            self._path = path


def changed_tables(changes: Iterable[str]) -> set[int]:
    """Numbers of the tables that snapshots changed, from DuckLake's own words for it.

    Examples
    --------
    >>> sorted(changed_tables(['dropped_table:89,created_table:"main"."cost_by_day",inlined_insert:121', "altered_table:7"]))
    [7, 89, 121]
    """
    return {int(number) for each in changes for number in _TABLE_ID.findall(each)}


@cache
def _statement(name: str) -> str:
    return (_FOLDER / f"{name}.sql").read_text(encoding="utf-8")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'

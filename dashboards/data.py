"""Read what a page shows: SQL files in `queries/`, through a read-only warehouse, into frames.

Stands between the warehouse and the figures. It never writes, and it never builds SQL out of values: they are parameters.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from dashboards.access.scope import Scope
from dashboards.cohorts import decided
from dashboards.copies import Copies, Stored, changed_tables
from dashboards.filters import Filters, ending, window
from dashboards.known import Known
from dashboards.newest import Newest, Watcher, revision_text
from dashboards.views import Extent, State, View
from warehouse import Limits, Warehouse, WarehouseError, marts, read_only
from warehouse.audited import Narrative, narrative
from warehouse.syntax import syntax_tree, tables_read

QUERIES = Path(__file__).parent / "queries"

# The tables a page can't do without, and the one that says the stream has run.
MARTS = frozenset({"runs", "reuse_daily", "rollback_readiness"})

# Metrics whose evidence is in policy decisions and approvals.
POLICY_METRICS = frozenset({"denied", "approval_skipped", "outdated_policy"})

# Marts of this version that pages aggregate: where a warehouse has not been refreshed since, their own SQL stands in for them.
_STAND_INS = ("runs_hourly", "model_usage_hourly")

# A view is some hundred kilobytes; this many serve the filters that a team looks at.
_VIEWS_KEPT = 64
# How old the answer to a page that asks whether anything changed may be.
_LOOK_SECONDS = 0.5

# How old the word of the newest span may be, by which a page says that the marts lag behind the stream.
_STREAMED_SECONDS = 5.0

_DAY = timedelta(days=1)

# Statements of pages are small and many are asked at once: to share one out costs a third more processor time than it saves.
_LIMITS = Limits(threads=1)


@cache
def statement(name: str) -> str:
    """Text of ``queries/<name>.sql``."""
    return (QUERIES / f"{name}.sql").read_text(encoding="utf-8")


@cache
def _named(name: str) -> frozenset[str]:
    """Tables that ``queries/<name>.sql`` names."""
    with duckdb.connect() as parser:
        tree = syntax_tree(parser, statement(name))
    return frozenset(tables_read(tree)) if tree is not None else frozenset()


@cache
def _read(name: str) -> frozenset[str]:
    """Tables of the lake that ``queries/<name>.sql`` reads, itself and by the product's own views."""
    live = {mart: model for mart, model in marts.models().items() if model.kind == "view"}
    return frozenset[str]().union(*(marts.upstream(each) if each in live else {each} for each in _named(name)))


class _Page(threading.local):
    """The page that this thread is making: whether there is one, and whether it shows nothing finer than days."""

    depth = 0
    is_by_day = False


class Reader:
    """A read-only warehouse for pages, opened when the first page asks, and again when its catalog was replaced.

    Parameters
    ----------
    home : Path
        Plumbline's home; the warehouse is in ``home/warehouse``.
    scope : Scope | None
        What of it is seen; None is everything. A viewer's reader is that of `dashboards.access.readers`.
    """

    def __init__(self, home: Path, scope: Scope | None = None) -> None:
        self.path, self._scope = Path(home) / "warehouse", scope
        self._warehouse: Warehouse | None = None
        self._copies: Copies | None = None
        self._identity: tuple[int, int, int] | None = None
        self._views: dict[tuple[str, Filters], View | None] = {}
        self._known: Known | None = None
        self._looked = (float("-inf"), "")
        self._looking = threading.Lock()
        self._newest = Newest(self.path / "catalog.sqlite")
        self._watcher: Watcher | None = None
        self._streamed: tuple[float, datetime | None, datetime | None] = (float("-inf"), None, None)
        self._lock = threading.RLock()
        self._page = _Page()

    @property
    def teams(self) -> tuple[str, ...] | None:
        """Whose workflows are seen, in order; None sees everything."""
        return None if self._scope is None else tuple(sorted(self._scope.teams))

    def rows(self, name: str, params: Sequence[Any] = ()) -> pl.DataFrame:
        """Rows of ``queries/<name>.sql``.

        Raises
        ------
        WarehouseError
            If there is no warehouse.
        """
        with self._lock:
            self._now()
            warehouse = self._open()
            if self._copies is not None:
                named = _named(name)
                self._copies.bring(named, params, by_day=self._page.is_by_day, marts=marts.names())
            return warehouse.query(statement(name), params)

    def _asked(self, name: str, params: Sequence[Any] = ()) -> pl.DataFrame:
        """Rows of a statement about the lake itself."""
        return self._open().query(statement(name), params)

    @contextmanager
    def settled(self) -> Iterator[None]:
        """Make one page: whether the lake has changed is asked once, at its beginning, and so is how finely it shows time."""
        with self._lock:
            if (self.path / "catalog.sqlite").is_file():
                self._now()
        self._page.depth += 1
        try:
            yield
        finally:
            self._page.depth -= 1
            if not self._page.depth:
                self._page.is_by_day = False

    def has(self, *names: str) -> bool:
        """Whether the warehouse has these tables; those of a later version come with its first refresh."""
        return self.tables() >= set(names)

    def audited(self, run_id: str) -> Narrative | None:
        """What the warehouse knows of one run; None where there is no such run."""
        with self._lock:
            self._now()
            return narrative(self._open(), run_id)

    def kept(self, name: str, params: Sequence[Any] = ()) -> pl.DataFrame:
        """`rows`, asked again with a revision that changed what they are of: for what pages share."""
        with self._lock:
            known = self._now()
            key = (name, repr(params))
            found = known.answers.get(key)
            if found is None:
                found = self.rows(name, params)
                known.keep(key, found)
            return found

    def _open(self) -> Warehouse:
        identity = self._identified()
        if identity is None:
            self.close()
            raise WarehouseError("there is no warehouse", str(self.path), "run `plumbline stream` first")
        if self._warehouse is None or identity != self._identity:
            self.close()
            warehouse = read_only(self.path, limits=_LIMITS)
            if self._scope is not None:
                try:
                    self._scope.put(warehouse)
                except BaseException:
                    warehouse.close()
                    raise
            self._warehouse, self._identity = warehouse, identity
            self._copies = Copies(warehouse, "lake.main" if self._scope is None else "memory.main")
            cursor = warehouse.connection.cursor()
            cursor.execute("USE lake" if self._scope is None else "USE memory.main")
            self._watcher = Watcher(cursor, self._newest, identity, statement, self._scope)
        return self._warehouse

    def _identified(self) -> tuple[int, int, int] | None:
        catalog = self.path / "catalog.sqlite"
        # A scope that sees other workflows by now is another warehouse to the pages.
        version = self._scope.version if self._scope is not None else 0
        return (catalog.stat().st_dev, catalog.stat().st_ino, version) if catalog.is_file() else None

    def _stand_in(self, there: frozenset[str]) -> None:
        """Let queries find every mart of `_STAND_INS`: computed from runs as they ask where the warehouse lacks it."""
        connection = self._open().connection
        if self._copies is not None:
            live = {name: model.sql for name, model in marts.models().items() if model.kind == "view" and name in there}
            self._copies.put_views(live)
        for name in _STAND_INS:
            connection.execute(f"DROP VIEW IF EXISTS temp.{name}")
            if name not in there and marts.upstream(name) <= there:
                connection.execute(f"CREATE TEMP VIEW {name} AS {marts.models()[name].sql}")

    def close(self) -> None:
        """Close the warehouse; the next read opens it again."""
        with self._lock:
            if self._warehouse is not None:
                if self._watcher is not None:
                    self._watcher.close()
                self._watcher = None
                self._newest.forget()
                self._warehouse.close()
                self._warehouse = self._known = self._copies = None

    def state(self) -> State:
        """How far the data are; a warehouse that is not there yet is `State.EMPTY`."""
        if not (self.path / "catalog.sqlite").is_file():
            return State.EMPTY
        tables = self.tables()
        if tables >= MARTS and self.extent() is not None:
            return State.READY
        return State.STREAMED if "spans" in tables and self.rows("has_spans").item() else State.EMPTY

    def tables(self) -> frozenset[str]:
        """Names of the tables and views that are there."""
        with self._lock:
            return self._now().tables

    def revision(self) -> str:
        """A text that changes when a refresh, an incident or a delivery changed what pages show (`views.revision_of`)."""
        if not (self.path / "catalog.sqlite").is_file():
            return State.EMPTY.name
        known, watcher = self._known, self._watcher
        if known is not None and self._page.depth:
            return known.revision
        # By a connection of its own: nobody whose page is kept waits for one that is made.
        if watcher is not None and self._identity == self._identified():
            found = watcher.revision()
            # What a scope sees may have been found to be another by that.
            if found is not None and self._identity == self._identified():
                return found
        with self._lock:
            return self._now().revision

    def lately(self) -> str:
        """`revision` as of at most half a second ago: many open pages that ask whether anything changed cost one look."""
        with self._looking:
            if time.monotonic() > self._looked[0] + _LOOK_SECONDS:
                self._looked = (time.monotonic(), self.revision())
            return self._looked[1]

    def extent(self) -> Extent | None:
        """What the marts hold; None without a run."""
        with self._lock:
            row = self.kept("extent").row(0, named=True)
            if not row["runs"] or row["earliest_at"] is None:
                return None
            if self._copies is not None:
                self._copies.part_at(ending(row["latest_at"]).hour)
        offered = (tuple(row[name] or ()) for name in ("workflows", "environments", "teams", "releases"))
        return Extent(row["earliest_at"], row["latest_at"], row["runs"], *offered)

    def _now(self) -> Known:
        """What is known of the lake's newest snapshot; asked again when there is another one, and once for a page."""
        if self._known is not None and self._page.depth:
            return self._known
        self._open()
        snapshot = self._newest.snapshot(lambda: self._asked("snapshot").item())
        if self._known is None or self._known.snapshot < snapshot:
            self._known = self._look(self._known)
        return self._known

    def _look(self, before: Known | None) -> Known:
        """What the lake holds by now, and what that leaves of `before`."""
        warehouse = self._open()
        # A catalog gets its log with its first writer, who may come later.
        warehouse.keep_log()
        try:
            with warehouse.reading() as snapshot:
                listed = self._asked("tables").rows()
                changed = self._changed(before.snapshot, snapshot) if before is not None else None
                there = frozenset(name for name, _, _ in listed)
                stored = {name: Stored(number, size) for name, number, size in listed if number is not None}
                # Before the revision is asked, which is to be that of the lake and not of a copy.
                if self._copies is not None:
                    self._copies.know(stored, changed)
                revision = revision_text(self._asked, self._identity, there)
        except BaseException:
            self.close()  # copies that it meant to drop may be there again
            raise
        if before is None or before.tables != there:
            self._stand_in(there)
        known = Known(snapshot, stored, there, revision)
        if before is not None:
            # What a scope sees of a table depends on others.
            known.inherit(before, changed, _read if self._scope is None else lambda _: None)
        return known

    def _changed(self, known: int, newest: int) -> set[int] | None:
        """Numbers of the tables that snapshots after `known` changed, until `newest`; None where one of them has expired."""
        changes = self._asked("changes_since", [known, newest])
        return changed_tables(changes["changes_made"]) if changes.height == newest - known else None

    def view(self, filters: Filters) -> View | None:
        """What the pages show under `filters`; None where there is no run.

        Views are kept until the next `revision`, so that many readers of one page cost one set of queries.
        """
        with self._lock:
            key = (self.revision(), filters)
            if key not in self._views:
                self._views[key] = self._read(filters)
                while len(self._views) > _VIEWS_KEPT:
                    self._views.pop(next(iter(self._views)))
            view = self._views[key]
            if view is not None and self._page.depth:
                self._page.is_by_day = view.window.bucket >= _DAY
            return view

    def _read(self, filters: Filters) -> View | None:
        extent = self.extent()
        if extent is None:
            return None
        shown = window(filters.period, extent.earliest_at, extent.latest_at)
        self._page.is_by_day = bool(self._page.depth) and shown.bucket >= _DAY
        spans = [shown.previous_start, shown.previous_end, shown.start, shown.end]
        bucket = round(shown.bucket / timedelta(seconds=1))
        scope = [*spans, filters.workflow, filters.environment, bucket, filters.team, filters.release]
        incidents = self.kept("incidents", [shown.previous_start, filters.workflow])
        ids = [incidents["incident_id"].to_list()]
        there = self.tables()
        cohorts = self.kept("cohorts", scope)
        return View(
            filters=filters,
            window=shown,
            extent=extent,
            cohorts=cohorts,
            policy=decided(cohorts),
            reuse=self.kept("reuse", [*spans, filters.workflow]),
            rollback=self.kept("rollback", [filters.workflow]),
            incidents=incidents,
            signals=self.kept("signals", ids),
            streamed_at=self._streamed_at(extent.latest_at),
            judgements=self.kept("judgements", ids) if "acknowledgements" in there else pl.DataFrame(),
            comparisons=self.kept("release_comparisons", [filters.workflow])
            if "release_comparisons" in there
            else pl.DataFrame(),
        )

    def _streamed_at(self, latest: datetime) -> datetime | None:
        asked_at, since, found = self._streamed
        if since != latest or time.monotonic() > asked_at + _STREAMED_SECONDS:
            found = self.rows("streamed", [latest]).item(0, "latest_at")
            self._streamed = (time.monotonic(), latest, found)
        return found

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
        if signal["metric"] in POLICY_METRICS:
            return self.rows("policy_values", [*scope, signal["metric"]])
        return self.rows("run_values", [*scope, signal["metric"]])

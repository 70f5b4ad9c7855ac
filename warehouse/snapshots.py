"""Snapshots of the lake: which are kept, what wrote each, and which one a moment means.

Each transaction of a writer leaves a snapshot, under the writer's name (`warehouse.lake.Warehouse`). A reader attached at one
(`warehouse.connection.connect`) sees every table, mart and view as it was then, its rows and its columns: time travel needs no
statement of its own. Compaction expires old snapshots; before the oldest one kept, nothing is known any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb
import polars as pl

from warehouse.errors import WarehouseError
from warehouse.queries import sql


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One state of the whole lake.

    Attributes
    ----------
    id : int
    at : datetime
        When its transaction was committed, UTC without a zone.
    """

    id: int
    at: datetime

    def __str__(self) -> str:
        return f"snapshot {self.id} of {_said(self.at)}"


def find(connection: duckdb.DuckDBPyConnection, as_of: int | datetime) -> Snapshot:
    """The snapshot of that number, or the last one committed by that moment (UTC without a zone).

    Raises
    ------
    WarehouseError
        If the snapshot is not kept, or the moment is before the oldest one kept or still to come; the error names the nearest.
    """
    given = {"id": None, "at": as_of} if isinstance(as_of, datetime) else {"id": as_of, "at": None}
    row = connection.execute(sql("snapshot_as_of"), given).fetchone()
    assert row is not None  # one row always
    found, at, oldest, oldest_at, newest, newest_at = row
    kept = f"the oldest kept is {Snapshot(oldest, oldest_at)}, the newest {Snapshot(newest, newest_at)}"
    if isinstance(as_of, datetime) and as_of > datetime.now(UTC).replace(tzinfo=None):
        raise WarehouseError(f"{_said(as_of)} is still to come", "as of", kept)
    if found is None:
        what = f"of {_said(as_of)}" if isinstance(as_of, datetime) else str(as_of)
        raise WarehouseError(f"no snapshot {what} is kept", "as of", kept)
    return Snapshot(found, at)


def current(connection: duckdb.DuckDBPyConnection) -> Snapshot:
    """The snapshot that `connection` answers from: the one it was attached at, else the newest."""
    row = connection.execute(sql("current_snapshot")).fetchone()
    assert row is not None  # a lake has one from its first moment
    return Snapshot(*row)


def kept(
    connection: duckdb.DuckDBPyConnection,
    *,
    limit: int,
    since: datetime | None = None,
    until: datetime | None = None,
    table: str | None = None,
) -> pl.DataFrame:
    """The newest `limit` snapshots, newest first: snapshot_id, committed_at, written_by (null: not noted), changes.

    Parameters
    ----------
    since, until : datetime | None
        Only those committed from then on, and by then; UTC without a zone.
    table : str | None
        Only those that changed this table.
    """
    given = {"limit": limit, "since": since, "until": until, "table": table}
    return connection.execute(sql("snapshots"), given).pl()


def _said(at: datetime) -> str:
    return f"{at.isoformat(' ', 'milliseconds')} UTC"

"""Keep the lake quick: merge small files, drop snapshots nobody can ask for any more, and delete their files.

Run every few minutes beside the stream. The steps are transactions of their own, short enough (about a second per 200,000
rows) for the stream to wait its turn between them:

1. `expire` snapshots older than `keep` (time travel reaches that far back);
2. `merge`: move rows that wait in the catalog into Parquet, for the consumed offsets leave one dead row there with every commit;
   rewrite files of which a tenth or more is deleted; merge small files of the same table and day, in the table's sort order, one
   resulting file at a time;
3. `clean_up`: delete files that nothing refers to any more, once `GRACE` has passed for readers still on them, and files that
   no snapshot ever knew, which a killed writer leaves. While a backup copies files, none is deleted.

A crash between two steps leaves at most files that the next run deletes.
"""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import duckdb

from warehouse.errors import WarehouseBusyError
from warehouse.turns import turn

if TYPE_CHECKING:
    from warehouse.lake import Warehouse

# Snapshots younger than this stay, for time travel.
KEEP = timedelta(days=7)
# A reader opens its files within one statement; an hour is longer than any statement is allowed to take.
GRACE = timedelta(hours=1)
# A killed writer leaves files that no snapshot knows; a running one has them too until it commits, which takes seconds.
ORPHAN_AGE = timedelta(days=1)
#: Held by who deletes the lake's files, and by who needs them to stay.
FILES_LOCK = "files.lock"

# Not `older_than`: it takes every snapshot of that moment's whole day, up to a day too many.
_OLD = """
SELECT snapshot_id FROM ducklake_snapshots('lake')
WHERE snapshot_time < ?::TIMESTAMPTZ AND snapshot_id < (SELECT max(snapshot_id) FROM ducklake_snapshots('lake'))
ORDER BY snapshot_id
"""
_EXPIRE = "CALL ducklake_expire_snapshots('lake', versions => ?::UBIGINT[])"
#: Moves rows that wait in the catalog into Parquet.
FLUSH = "CALL ducklake_flush_inlined_data('lake')"
_REWRITE = "CALL ducklake_rewrite_data_files('lake', delete_threshold => 0.1)"
_MERGE = "CALL ducklake_merge_adjacent_files('lake', max_compacted_files => 1)"
_CLEAN_UP = "CALL ducklake_cleanup_old_files('lake', older_than => ?::TIMESTAMPTZ)"
_ORPHANS = "CALL ducklake_delete_orphaned_files('lake', older_than => ?::TIMESTAMPTZ)"
_FILES = "SELECT coalesce(sum(file_count), 0)::BIGINT FROM ducklake_table_info('lake')"


def compact(warehouse: Warehouse, *, keep: timedelta = KEEP, grace: timedelta = GRACE) -> dict[str, int]:
    """Counts of `expire`, `merge` and `clean_up`, one after the other.

    Parameters
    ----------
    warehouse : Warehouse
        Open for writing.
    keep : timedelta
        Age up to which snapshots are kept.
    grace : timedelta
        Age up to which files that are no longer needed are kept.

    Raises
    ------
    WarehouseBusyError
        If the catalog stayed locked; what was done until then stays done.
    """
    return {**expire(warehouse, keep=keep), **merge(warehouse), **clean_up(warehouse, grace=grace)}


def expire(warehouse: Warehouse, *, keep: timedelta = KEEP) -> dict[str, int]:
    """Drop snapshots older than `keep`, but the latest: snapshots_expired."""
    before = datetime.now(UTC) - keep

    def work(connection: duckdb.DuckDBPyConnection) -> list[tuple]:
        old = [number for (number,) in connection.execute(_OLD, [before]).fetchall()]
        return connection.execute(_EXPIRE, [old]).fetchall() if old else []

    return {"snapshots_expired": len(warehouse.transaction(work))}


def merge(warehouse: Warehouse) -> dict[str, int]:
    """Make few, sorted files of many: files_before, files_after, rows_flushed, files_rewritten, files_merged."""
    files_before = _files(warehouse)
    flushed = _call(warehouse, FLUSH)
    rewritten = _call(warehouse, _REWRITE)
    merged: list[tuple] = []
    for _ in range(files_before):  # bounded: a busy writer adds files as fast as they can be merged
        some = _call(warehouse, _MERGE)
        merged += some
        if not some:
            break
    return {
        "files_before": files_before,
        "files_after": _files(warehouse),
        "rows_flushed": sum(row[2] for row in flushed),
        "files_rewritten": sum(row[2] for row in rewritten),
        "files_merged": sum(row[2] for row in merged),
    }


def clean_up(warehouse: Warehouse, *, grace: timedelta = GRACE) -> dict[str, int]:
    """Delete files past `grace` that no snapshot needs, and orphans: files_deleted, orphans_deleted; none while a backup runs."""
    now = datetime.now(UTC)
    with ExitStack() as held:
        try:
            held.enter_context(turn(warehouse.path / FILES_LOCK, wait_s=0))
        except WarehouseBusyError:  # the next run finds the same files
            return {"files_deleted": 0, "orphans_deleted": 0}
        return {
            "files_deleted": len(_call(warehouse, _CLEAN_UP, now - grace)),
            "orphans_deleted": len(_call(warehouse, _ORPHANS, now - max(grace, ORPHAN_AGE))),
        }


def _call(warehouse: Warehouse, statement: str, older_than: datetime | None = None) -> list[tuple]:
    def work(connection: duckdb.DuckDBPyConnection) -> list[tuple]:
        return connection.execute(statement, [older_than] if older_than else None).fetchall()

    return warehouse.transaction(work)


def _files(warehouse: Warehouse) -> int:
    return warehouse.query(_FILES).item()

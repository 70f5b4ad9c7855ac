"""Keep the lake quick: merge small files, drop snapshots nobody can ask for any more, and delete their files.

Run every few minutes beside the stream. The steps are transactions of their own, short enough (about a second per 200,000
rows) for the stream to wait its turn between them:

1. expire snapshots older than `keep` (time travel reaches that far back);
2. move rows that wait in the catalog into Parquet: the consumed offsets leave one dead row there with every commit;
3. rewrite files of which a tenth or more is deleted;
4. merge small files of the same table and day, in the table's sort order, one resulting file at a time;
5. delete files that nothing refers to any more, once `GRACE` has passed for readers still on them.

A crash between two steps leaves at most files that the next run deletes.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import duckdb

if TYPE_CHECKING:
    from warehouse.lake import Warehouse

# Snapshots younger than this stay, for time travel.
KEEP = timedelta(days=7)
# A reader opens its files within one statement; an hour is longer than any statement is allowed to take.
GRACE = timedelta(hours=1)
# A killed writer leaves files that no snapshot knows; a running one has them too until it commits, which takes seconds.
ORPHAN_AGE = timedelta(days=1)

_EXPIRE = "CALL ducklake_expire_snapshots('lake', older_than => ?::TIMESTAMPTZ)"
#: Moves rows that wait in the catalog into Parquet.
FLUSH = "CALL ducklake_flush_inlined_data('lake')"
_REWRITE = "CALL ducklake_rewrite_data_files('lake', delete_threshold => 0.1)"
_MERGE = "CALL ducklake_merge_adjacent_files('lake', max_compacted_files => 1)"
_CLEAN_UP = "CALL ducklake_cleanup_old_files('lake', older_than => ?::TIMESTAMPTZ)"
_ORPHANS = "CALL ducklake_delete_orphaned_files('lake', older_than => ?::TIMESTAMPTZ)"
_FILES = "SELECT coalesce(sum(file_count), 0)::BIGINT FROM ducklake_table_info('lake')"


def compact(warehouse: Warehouse, *, keep: timedelta = KEEP, grace: timedelta = GRACE) -> dict[str, int]:
    """Counts: files_before, files_after, snapshots_expired, rows_flushed, files_rewritten, files_merged, files_deleted.

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
    now = datetime.now(UTC)
    files_before = _files(warehouse)
    expired = _call(warehouse, _EXPIRE, now - keep)
    flushed = _call(warehouse, FLUSH)
    rewritten = _call(warehouse, _REWRITE)
    merged: list[tuple] = []
    for _ in range(files_before):  # bounded: a busy writer adds files as fast as they can be merged
        some = _call(warehouse, _MERGE)
        merged += some
        if not some:
            break
    deleted = _call(warehouse, _CLEAN_UP, now - grace) + _call(warehouse, _ORPHANS, now - max(grace, ORPHAN_AGE))
    return {
        "files_before": files_before,
        "files_after": _files(warehouse),
        "snapshots_expired": len(expired),
        "rows_flushed": sum(row[2] for row in flushed),
        "files_rewritten": sum(row[2] for row in rewritten),
        "files_merged": sum(row[2] for row in merged),
        "files_deleted": len(deleted),
    }


def _call(warehouse: Warehouse, statement: str, older_than: datetime | None = None) -> list[tuple]:
    def work(connection: duckdb.DuckDBPyConnection) -> list[tuple]:
        return connection.execute(statement, [older_than] if older_than else None).fetchall()

    return warehouse.transaction(work)


def _files(warehouse: Warehouse) -> int:
    return warehouse.query(_FILES).item()

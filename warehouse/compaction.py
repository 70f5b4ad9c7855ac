"""Keep the lake quick: merge small files, drop snapshots nobody can ask for any more, and delete their files.

Run every few minutes beside the stream. Each step is a transaction of its own, retried whole when the stream commits first;
a crash between them leaves at most files that the next run deletes.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import duckdb

if TYPE_CHECKING:
    from warehouse.lake import Warehouse

# Snapshots younger than this stay, for time travel and for readers that are still on them.
KEEP = timedelta(days=7)


def compact(warehouse: Warehouse, *, keep: timedelta = KEEP) -> dict[str, int]:
    """Counts: files_before, files_after, rows_flushed, snapshots_expired, files_deleted.

    Parameters
    ----------
    warehouse : Warehouse
        Open for writing.
    keep : timedelta
        Age up to which snapshots (and so the files they need) are kept.
    """
    raise NotImplementedError

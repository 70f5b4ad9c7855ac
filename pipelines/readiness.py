"""Table ``detector_streams``: how far the detectors' streams are, for whoever asks whether a workflow is watched.

Written beside the checkpoint, and of its rows only those that have changed since: once every stream watches, nothing. What they
say is the monitor's state alone, so a replay ends with the same rows.
"""

from __future__ import annotations

import duckdb
import polars as pl

from detectors import READINESS_SCHEMA
from pipelines.sources.kafka import utc_now
from warehouse import Warehouse

_KEYS = ["workflow", "family", "metric"]
_STORED = f"SELECT {', '.join(READINESS_SCHEMA)} FROM detector_streams"  # noqa: S608 - our names
_DELETE = """
DELETE FROM detector_streams
WHERE (workflow, family, metric) IN (SELECT (workflow, family, metric) FROM stale_streams)
"""


class Readiness:
    """What the table says, by the worker that detects.

    Parameters
    ----------
    warehouse : Warehouse
    """

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._stored: pl.DataFrame | None = None

    def note(self, counted: pl.DataFrame) -> int:
        """Let the table say what `counted` (``READINESS_SCHEMA``) does, and give the number of rows written or removed."""
        stored = self._warehouse.query(_STORED) if self._stored is None else self._stored
        changed = counted.join(stored, on=counted.columns, how="anti", nulls_equal=True)
        gone = stored.join(counted, on=_KEYS, how="anti")
        if changed.is_empty() and gone.is_empty():
            self._stored = stored
            return 0
        stale = pl.concat([changed.select(_KEYS), gone.select(_KEYS)])
        rows = changed.with_columns(noted_at=pl.lit(utc_now()))

        def write(connection: duckdb.DuckDBPyConnection) -> None:
            connection.register("stale_streams", stale.to_arrow())
            try:
                connection.execute(_DELETE)
            finally:
                connection.unregister("stale_streams")
            self._warehouse.insert(connection, "detector_streams", rows)

        self._warehouse.transaction(write)
        self._stored = counted
        return stale.height

"""Which spans of a batch the warehouse holds already: the stream drops those inside the batch's own transaction.

A span delivered twice carries the same ids and the same start time, however long after; so only files that cover the
batch's start times need to be opened. One span with a broken clock (1970, 2100) must not stretch that to the whole table:
the batch's start times are cut at their widest gaps into a few ranges, and each range is looked up on its own.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import duckdb
import polars as pl

from warehouse.queries import sql

# At most this many ranges: each costs one file listing (about 5 ms); real batches need one to three.
MOST_RANGES = 8
# Start times closer than this stay in one range: files are cut by day, so a finer cut opens no fewer of them.
LEAST_GAP = timedelta(hours=6)

_INVALID = ["invalid_trace_id", "invalid_span_id"]
_KEYS = {"trace_id": pl.String, "span_id": pl.String}


def existing_span_keys(connection: duckdb.DuckDBPyConnection, keys: pl.DataFrame) -> pl.DataFrame:
    """Those keys of a batch that are in ``spans`` already.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        Of a warehouse; inside the transaction that will insert the rest.
    keys : polars.DataFrame
        Columns trace_id, span_id (str) and started_at (Datetime, null allowed); other columns are ignored.

    Returns
    -------
    polars.DataFrame
        Columns trace_id, span_id; each key once. Exact for spans that keep their start time, however long ago they came.
    """
    if keys.is_empty():
        return pl.DataFrame(schema=_KEYS)
    found: list[pl.DataFrame] = []
    for earliest, latest in start_ranges(keys["started_at"]):
        part = keys.filter(pl.col("started_at").is_between(earliest, latest))
        found.append(_look_up(connection, part, "existing_span_keys", {"earliest": earliest, "latest": latest}))
    without_start = keys.filter(pl.col("started_at").is_null())
    if not without_start.is_empty():
        found.append(_look_up(connection, without_start, "existing_span_keys_without_start", {}))
    return pl.concat(found).unique()


def stored_spans(connection: duckdb.DuckDBPyConnection, keys: pl.DataFrame) -> pl.DataFrame:
    """What the warehouse holds under keys that it is known to hold, to tell a redelivery from another span with its ids.

    Parameters
    ----------
    connection, keys
        As for `existing_span_keys`.

    Returns
    -------
    polars.DataFrame
        Columns trace_id, span_id, name, kind, started_at, ended_at, quality_flags, attributes (only of invalid ids).
    """
    found: list[pl.DataFrame] = []
    for earliest, latest in start_ranges(keys["started_at"]):
        part, bounds = (
            keys.filter(pl.col("started_at").is_between(earliest, latest)),
            {"earliest": earliest, "latest": latest},
        )
        told = _looked_up(connection, part, "stored_spans", bounds)
        # A few redelivered spans are in nearly every batch, those with invalid ids are rare, and looking up attributes took
        # four times as long as all the rest.
        invalid = told.filter(pl.col("quality_flags").list.set_intersection(pl.lit(_INVALID)).list.len() > 0)
        attributes = (
            _looked_up(connection, invalid, "stored_attributes", bounds).unique(list(_KEYS), maintain_order=True)
            if not invalid.is_empty()
            else pl.DataFrame(schema={**_KEYS, "attributes": pl.String})
        )
        found.append(told.join(attributes, on=list(_KEYS), how="left", maintain_order="left"))
    return pl.concat(found).unique(list(_KEYS), maintain_order=True) if found else pl.DataFrame(schema=_KEYS)


def start_ranges(started_at: pl.Series) -> list[tuple[datetime, datetime]]:
    """At most `MOST_RANGES` closed ranges that cover every start time, cut at the widest gaps of `LEAST_GAP` or more.

    Examples
    --------
    >>> day = [datetime(2025, 8, 1, hour) for hour in (9, 10, 11)]
    >>> ranges = start_ranges(pl.Series([datetime(1970, 1, 1), *day, datetime(2100, 1, 1)]))
    >>> [(first.isoformat(), last.isoformat()) for first, last in ranges]  # doctest: +NORMALIZE_WHITESPACE
    [('1970-01-01T00:00:00', '1970-01-01T00:00:00'), ('2025-08-01T09:00:00', '2025-08-01T11:00:00'),
     ('2100-01-01T00:00:00', '2100-01-01T00:00:00')]
    """
    starts = started_at.drop_nulls().unique().sort()
    if starts.is_empty():
        return []
    gaps = starts.diff()
    cuts = (
        pl.DataFrame({"position": pl.int_range(len(starts), eager=True), "gap": gaps})
        .filter(pl.col("gap") >= LEAST_GAP)
        .sort("gap", descending=True)
        .head(MOST_RANGES - 1)["position"]
        .sort()
        .to_list()
    )
    edges = [0, *cuts, len(starts)]
    return [(starts[first], starts[last - 1]) for first, last in pairwise(edges)]


def _look_up(
    connection: duckdb.DuckDBPyConnection, keys: pl.DataFrame, query: str, bounds: dict[str, datetime]
) -> pl.DataFrame:
    return _looked_up(connection, keys, query, bounds).cast(pl.Schema(_KEYS))


def _looked_up(
    connection: duckdb.DuckDBPyConnection, keys: pl.DataFrame, query: str, bounds: dict[str, datetime]
) -> pl.DataFrame:
    connection.register("incoming_keys", keys.select("trace_id", "span_id").unique().to_arrow())
    try:
        return connection.execute(sql(query), bounds or None).pl()
    finally:
        connection.unregister("incoming_keys")

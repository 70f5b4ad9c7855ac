"""Redelivered spans are found exactly, however long ago they came, and without opening the whole table."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from itertools import pairwise

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from warehouse import Warehouse
from warehouse.queries import sql
from warehouse.redelivery import LEAST_GAP, MOST_RANGES, existing_span_keys, start_ranges, stored_spans

DAY = timedelta(days=1)
FIRST = datetime(2025, 8, 1)


def batch(day: int, rows: int = 200, *, trace: str | None = None) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "trace_id": [trace or f"{day:032x}"] * rows,
            "span_id": [f"{n:016x}" for n in range(rows)],
            "started_at": [FIRST + day * DAY + timedelta(seconds=n) for n in range(rows)],
        }
    )


def store(warehouse: Warehouse, keys: pl.DataFrame) -> None:
    spans = keys.with_columns(run_id="trace_id", workflow=pl.lit("w"), kind=pl.lit("tool"))
    warehouse.transaction(lambda c: warehouse.insert(c, "spans", spans))


def one(trace: str, started_at: datetime | None) -> pl.DataFrame:
    frame = pl.DataFrame({"trace_id": [trace], "span_id": ["0" * 16], "started_at": [started_at]})
    return frame.cast({"started_at": pl.Datetime("us")})


def test_a_batch_delivered_again_is_known_whole_and_a_new_one_not(empty: Warehouse) -> None:
    for day in range(4):
        store(empty, batch(day))
    known = existing_span_keys(empty.connection, batch(1))
    assert known.sort("span_id").equals(batch(1).select("trace_id", "span_id").sort("span_id"))
    assert existing_span_keys(empty.connection, batch(1, trace="f" * 32)).is_empty()
    assert existing_span_keys(empty.connection, batch(9)).is_empty()


def test_a_mixed_batch_with_broken_clocks_is_exact(empty: Warehouse) -> None:
    broken = pl.concat([one("a" * 32, datetime(1970, 1, 1)), one("b" * 32, datetime(2100, 1, 1)), one("c" * 32, None)])
    store(empty, pl.concat([batch(0), broken]))
    again = pl.concat([batch(0, rows=3), broken, batch(5), one("d" * 32, None), one("e" * 32, datetime(1970, 1, 1))])
    known = existing_span_keys(empty.connection, pl.concat([again, again]))
    assert set(known.rows()) == {
        *batch(0, rows=3).select("trace_id", "span_id").rows(),
        *broken.drop("started_at").rows(),
    }
    assert known.height == 6


def test_only_the_files_of_the_batch_s_days_are_opened(empty: Warehouse) -> None:
    """One file a day; a broken clock gets one of its own. A look for one day opens one file, at any table size."""
    for day in range(6):
        store(empty, batch(day))
    keys = pl.concat([batch(3), one("a" * 32, datetime(1970, 1, 1))])
    opened = 0
    for earliest, latest in start_ranges(keys["started_at"]):
        empty.connection.register("incoming_keys", keys.to_arrow())
        plan = empty.connection.execute(
            "EXPLAIN ANALYZE " + sql("existing_span_keys"), {"earliest": earliest, "latest": latest}
        ).fetchall()[0][1]
        empty.connection.unregister("incoming_keys")
        opened += sum(int(count) for count in re.findall(r"Total Files Read: (\d+)", plan))
    assert opened == 1


def test_an_empty_batch_knows_nothing(empty: Warehouse) -> None:
    assert existing_span_keys(empty.connection, batch(0, rows=0)).schema == {
        "trace_id": pl.String,
        "span_id": pl.String,
    }


@settings(max_examples=200, deadline=None)
@given(st.lists(st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)), max_size=40))
def test_the_ranges_cover_every_start_and_never_overlap(starts: list[datetime]) -> None:
    ranges = start_ranges(pl.Series(starts, dtype=pl.Datetime("us")))
    assert len(ranges) <= MOST_RANGES
    assert all(sum(first <= start <= last for first, last in ranges) == 1 for start in starts)
    for (_, last), (first, _) in pairwise(ranges):
        assert first - last >= LEAST_GAP


def test_what_is_stored_of_redelivered_spans_has_attributes_where_an_id_was_invalid(empty: Warehouse) -> None:
    flags = [["invalid_span_id", "clock"], ["clock"], None, ["invalid_trace_id"], []]
    stored = batch(0, rows=5).with_columns(
        quality_flags=pl.Series(flags, dtype=pl.List(pl.String)),
        attributes=pl.Series([f'{{"n":{n}}}' for n in range(5)]),
        name=pl.Series([f"name {n}" for n in range(5)]),
    )
    store(empty, stored)
    asked = pl.concat([batch(0, rows=4), batch(3, rows=2)])
    found = stored_spans(empty.connection, asked).sort("span_id")
    assert found.select("span_id", "name", "attributes").rows() == [
        ("0" * 15 + "0", "name 0", '{"n":0}'),
        ("0" * 15 + "1", "name 1", None),
        ("0" * 15 + "2", "name 2", None),
        ("0" * 15 + "3", "name 3", '{"n":3}'),
    ]
    assert set(found.columns) == {
        "trace_id", "span_id", "name", "kind", "started_at", "ended_at", "quality_flags", "attributes"
    }  # fmt: skip
    none_invalid = stored_spans(empty.connection, batch(0, rows=5).slice(1, 2))
    assert none_invalid["attributes"].to_list() == [None, None]
    assert none_invalid.schema == found.schema

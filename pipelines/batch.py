"""One batch through the stages, and its transaction: rows and consumed offsets commit together or not at all."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import duckdb
import polars as pl

from pipelines.alerts.incidents import digest
from pipelines.settings import Settings
from pipelines.sources.base import Positions
from pipelines.sources.kafka import utc_now
from pipelines.stages.decode import decode
from pipelines.stages.normalise import normalise
from pipelines.stages.price import price
from warehouse import Warehouse
from warehouse.redelivery import existing_span_keys

FACT_TABLES = ("outcomes", "policy_decisions", "approvals", "rollbacks", "overrides")
_KEY = ["trace_id", "span_id"]


@dataclass(frozen=True, slots=True)
class Batch:
    """What one batch of messages became, before it is committed.

    Attributes
    ----------
    spans, prices, dead_letters, offsets : pl.DataFrame
        Rows for the tables of those names (``price_list``, ``consumed_offsets``).
    facts : dict of str to pl.DataFrame
        Rows by fact table.
    messages, received : int
        Messages, and spans in them with every delivery counted.
    """

    spans: pl.DataFrame
    facts: dict[str, pl.DataFrame]
    prices: pl.DataFrame
    dead_letters: pl.DataFrame
    offsets: pl.DataFrame
    messages: int
    received: int

    @property
    def positions(self) -> Positions:
        """The offset to go on from, per (topic, partition)."""
        return {(topic, partition): offset for topic, partition, offset in self.offsets.iter_rows()}


def prepare(messages: pl.DataFrame, settings: Settings) -> Batch:
    """Return the rows that a batch of messages means."""
    now = utc_now()
    decoded = decode(messages)
    normalised = normalise(decoded, messages, now=now, max_attribute_bytes=settings.max_attribute_bytes)
    spans, prices = price(normalised.spans)
    arrived = pl.lit(now, dtype=pl.Datetime("us")).alias("ingested_at")
    offsets = messages.group_by("topic", "partition", maintain_order=True).agg(
        pl.col("next_offset").max().alias("next_offset")
    )
    return Batch(
        spans=spans.unique(_KEY, keep="first", maintain_order=True),
        facts={name: frame.with_columns(arrived) for name, frame in normalised.facts.items()},
        prices=prices,
        dead_letters=_dead_letters(decoded.dead, messages, now),
        offsets=offsets,
        messages=len(messages),
        received=len(spans),
    )


def _dead_letters(dead: pl.DataFrame, messages: pl.DataFrame, now: Any) -> pl.DataFrame:
    rows = dead.join(messages.with_row_index("message"), on="message", maintain_order="left")
    names = [digest(*place) for place in rows.select("topic", "partition", "offset").iter_rows()]
    return rows.select(
        pl.Series("dead_letter_id", names, dtype=pl.String),
        "topic",
        "partition",
        "offset",
        "reason",
        "detail",
        pl.col("value").fill_null(b"").alias("payload"),
        "headers",
        "message_at",
        pl.lit(now, dtype=pl.Datetime("us")).alias("seen_at"),
    )


def commit(batch: Batch, warehouse: Warehouse) -> Batch:
    """Write a batch in one transaction and return it without the spans and facts that were there before.

    Redelivered spans (same trace_id and span_id) are dropped here, inside the transaction that writes the rest.
    """

    def work(connection: duckdb.DuckDBPyConnection) -> Batch:
        fresh = _without_known(batch, connection)
        warehouse.insert(connection, "spans", fresh.spans)
        for name, frame in fresh.facts.items():
            warehouse.insert(connection, name, frame)
        _insert_new(warehouse, connection, "dead_letters", "dead_letter_id", fresh.dead_letters)
        _insert_new(warehouse, connection, "price_list", "price_id", fresh.prices)
        now = utc_now()
        for topic, partition, offset in batch.offsets.iter_rows():
            connection.execute('DELETE FROM consumed_offsets WHERE topic = ? AND "partition" = ?', [topic, partition])
            connection.execute("INSERT INTO consumed_offsets VALUES (?, ?, ?, ?)", [topic, partition, offset, now])
        return fresh

    return warehouse.transaction(work)


def _without_known(batch: Batch, connection: duckdb.DuckDBPyConnection) -> Batch:
    known = existing_span_keys(connection, batch.spans.select(*_KEY, "started_at"))
    spans = batch.spans if known.is_empty() else batch.spans.join(known, on=_KEY, how="anti", maintain_order="left")
    # A fact is new when the span that states it is; a span sent twice in one batch states it once.
    place = [*_KEY, "topic", "partition", "offset"]
    first = spans.select(place)
    facts = {
        name: frame.join(first, on=place, how="semi", nulls_equal=True, maintain_order="left").unique(
            maintain_order=True
        )
        for name, frame in batch.facts.items()
    }
    facts["outcomes"] = facts["outcomes"].drop("span_id")
    return Batch(spans, facts, batch.prices, batch.dead_letters, batch.offsets, batch.messages, batch.received)


def _insert_new(
    warehouse: Warehouse, connection: duckdb.DuckDBPyConnection, table: str, key: str, frame: pl.DataFrame
) -> None:
    if frame.is_empty():
        return
    known = connection.execute(f'SELECT "{key}" FROM "{table}"').pl()  # noqa: S608 - names of ours, never from a trace
    warehouse.insert(connection, table, frame.join(known, on=key, how="anti", maintain_order="left"))


def positions(warehouse: Warehouse) -> Positions:
    """Return where the warehouse's rows end in each partition."""
    rows = warehouse.query('SELECT topic, "partition", next_offset FROM consumed_offsets').iter_rows()
    return {(topic, partition): offset for topic, partition, offset in rows}


def header_text(reason: str, detail: str, place: str) -> list[tuple[str, bytes]]:
    """Return the headers that tell why a message was set aside, for the dead-letter topic."""
    return [("plumbline-dead-letter", json.dumps({"reason": reason, "detail": detail, "from": place}).encode())]


def restate(batch: Batch, warehouse: Warehouse, connection: duckdb.DuckDBPyConnection, now: datetime) -> Batch:
    """Write the rows of messages whose offsets were consumed before, inside a transaction of the caller's.

    No offset moves and no dead letter is written. Returns the batch without what was there, as :func:`commit` does.
    """
    known_left_out = _without_known(batch, connection)
    arrived = pl.lit(now, dtype=pl.Datetime("us")).alias("ingested_at")
    spans = known_left_out.spans.with_columns(arrived)
    facts = {name: frame.with_columns(arrived) for name, frame in known_left_out.facts.items()}
    for name, frame in {"spans": spans, **facts}.items():
        warehouse.insert(connection, name, frame)
    _insert_new(warehouse, connection, "price_list", "price_id", batch.prices)
    return replace(known_left_out, spans=spans, facts=facts)

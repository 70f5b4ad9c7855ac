"""One batch through the stages, and its transaction: rows and consumed offsets commit together or not at all.

The transaction is also the fence between workers. A worker that lost a partition while it had messages of it in hand finds
the new owner's offset there: what lies before it is left out, and the offset never goes back.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import duckdb
import polars as pl

from pipelines.alerts.incidents import digest
from pipelines.contracts.content import policy_of
from pipelines.settings import Settings
from pipelines.sources.base import OUTCOME_FILES, Positions
from pipelines.sources.kafka import utc_now
from pipelines.stages.decode import decode
from pipelines.stages.identity import restated, told_apart
from pipelines.stages.mask import masked
from pipelines.stages.normalise import normalise
from pipelines.stages.outcomes import stated_outcomes
from pipelines.stages.price import price
from pipelines.stages.rates import LIST_PRICES, Rates
from pipelines.timings import Timings
from warehouse import Warehouse
from warehouse.queries import sql
from warehouse.redelivery import existing_span_keys, stored_spans

FACT_TABLES = ("outcomes", "policy_decisions", "approvals", "rollbacks", "overrides", "tool_requests")
_KEY = ["trace_id", "span_id"]


@dataclass(frozen=True, slots=True)
class Batch:
    """What one batch of messages became, before it is committed.

    Attributes
    ----------
    spans, prices, dead_letters, offsets : pl.DataFrame
        Rows for the tables of those names (``price_list``, ``consumed_offsets``).
    firsts : pl.DataFrame
        topic, partition and the least offset of the batch in it.
    before : dict
        Where the warehouse stood in the batch's partitions when it was committed; partitions new to it are not named.
    facts : dict of str to pl.DataFrame
        Rows by fact table.
    messages, received, empty : int
        Messages of spans, spans in them with every delivery counted, and messages that are requests without a span.
    stated : pl.DataFrame
        Rows for ``outcomes`` that messages of their own state.
    repeated : pl.DataFrame
        Rows for the table ``redeliveries``: spans that came again, known once the batch is committed.
    shares_ids : bool
        Whether two of its spans have the same ids; which of them is new is told when it is committed.
    """

    spans: pl.DataFrame
    facts: dict[str, pl.DataFrame]
    prices: pl.DataFrame
    dead_letters: pl.DataFrame
    offsets: pl.DataFrame
    firsts: pl.DataFrame
    messages: int
    received: int
    stated: pl.DataFrame
    empty: int
    repeated: pl.DataFrame
    shares_ids: bool
    before: Positions = field(default_factory=dict)

    @property
    def positions(self) -> Positions:
        """The offset to go on from, per (topic, partition)."""
        return {(topic, partition): offset for topic, partition, offset in self.offsets.iter_rows()}


def prepare(
    messages: pl.DataFrame, settings: Settings, timings: Timings | None = None, rates: Rates = LIST_PRICES
) -> Batch:
    """Return the rows that a batch of messages means; the time of each stage is added to ``timings``.

    A message that is there twice counts once: a partition that a worker gets again while it gathers is read from what is
    committed, and so are messages of it that the worker has in hand.
    """
    now = utc_now()
    timings = Timings() if timings is None else timings
    everything = messages.unique(["topic", "partition", "offset"], keep="first", maintain_order=True)
    of_outcomes = _of_outcomes(settings)
    messages = everything.filter(~of_outcomes)
    other = everything.filter(of_outcomes)
    with timings.of("decode"):
        decoded = decode(messages)
    with timings.of("normalise"):
        normalised = normalise(
            decoded,
            messages,
            now=now,
            max_attribute_bytes=settings.max_attribute_bytes,
            policy=policy_of(settings.catalog),
            hash_key=settings.hash_key,
        )
    with timings.of("price"):
        spans, prices = price(normalised.spans, rates)
    stated, wrong = stated_outcomes(other, now=now, hash_key=settings.hash_key)
    by_partition = everything.group_by("topic", "partition", maintain_order=True)
    return Batch(
        spans=spans,
        facts=normalised.facts,
        prices=prices,
        dead_letters=pl.concat(
            [_dead_letters(decoded.dead, messages, settings, now), _dead_letters(wrong, other, settings, now)]
        ),
        offsets=by_partition.agg(pl.col("next_offset").max()),
        firsts=by_partition.agg(pl.col("offset").min()),
        messages=len(messages),
        received=len(spans),
        stated=stated,
        empty=decoded.empty,
        repeated=spans.clear().select(*_KEY, "source_file", "topic", "partition", "offset"),
        shares_ids=bool(spans.select(pl.struct(_KEY).is_duplicated().any()).item()),
    )


def _of_outcomes(settings: Settings) -> pl.Expr:
    return (pl.col("topic") == settings.outcomes_topic) | pl.col("topic").str.starts_with(OUTCOME_FILES)


def _dead_letters(dead: pl.DataFrame, messages: pl.DataFrame, settings: Settings, now: Any) -> pl.DataFrame:
    rows = dead.join(messages.with_row_index("message"), on="message", maintain_order="left")
    names = [digest(*place) for place in rows.select("topic", "partition", "offset").iter_rows()]
    return rows.select(
        pl.Series("dead_letter_id", names, dtype=pl.String),
        "topic",
        "partition",
        "offset",
        "reason",
        masked(pl.col("detail")),
        (pl.col("value").fill_null(b"") if settings.keep_dead_letter_payload else pl.lit(b"")).alias("payload"),
        masked(pl.col("headers")),
        "message_at",
        pl.lit(now, dtype=pl.Datetime("us")).alias("seen_at"),
    )


def commit(batch: Batch, warehouse: Warehouse) -> Batch:
    """Write a batch in one transaction and return it without the spans and facts that were there before.

    Redelivered spans are dropped here, inside the transaction that writes the rest, and noted in ``redeliveries``; and so is
    what another worker has committed since this one polled it.
    """

    def work(connection: duckdb.DuckDBPyConnection) -> Batch:
        now = utc_now()
        # Stamped in the writer's turn: within a partition the times rise with the offsets, whoever commits them.
        fresh = _stamped(_without_known(_fenced(batch, connection), connection), now)
        _insert_rows(fresh, warehouse, connection)
        _insert_new(warehouse, connection, "dead_letters", "dead_letter_id", fresh.dead_letters)
        _insert_new(warehouse, connection, "price_list", "price_id", fresh.prices)
        _move(connection, fresh.positions, now)
        return fresh

    return warehouse.transaction(work)


def advance(positions: Positions, warehouse: Warehouse) -> None:
    """Note that these positions were reached without a message on the way; none goes back."""

    def work(connection: duckdb.DuckDBPyConnection) -> None:
        committed = _committed(connection)
        _move(connection, {key: to for key, to in positions.items() if to > committed.get(key, -1)}, utc_now())

    warehouse.transaction(work)


def _move(connection: duckdb.DuckDBPyConnection, positions: Positions, now: datetime) -> None:
    if not positions:
        return
    moved = {"topics": [topic for topic, _ in positions], "partitions": [partition for _, partition in positions]}
    connection.execute(sql("leave_offsets"), moved)
    connection.execute(sql("move_offsets"), {**moved, "offsets": [*positions.values()], "committed_at": now})


def _committed(connection: duckdb.DuckDBPyConnection) -> Positions:
    rows = connection.execute('SELECT topic, "partition", next_offset FROM consumed_offsets').fetchall()
    return {(topic, partition): offset for topic, partition, offset in rows}


def _fenced(batch: Batch, connection: duckdb.DuckDBPyConnection) -> Batch:
    """Return the batch without what lies before the committed offsets, and with those offsets noted."""
    committed = _committed(connection)
    before = {key: committed[key] for key in batch.positions if key in committed}
    if all(before.get((topic, partition), -1) <= first for topic, partition, first in batch.firsts.iter_rows()):
        return replace(batch, before=before)
    fence = pl.DataFrame(
        [(*key, offset) for key, offset in before.items()],
        schema={"topic": pl.String, "partition": pl.Int32, "fence": pl.Int64},
        orient="row",
    )

    def beyond(frame: pl.DataFrame, column: str) -> pl.DataFrame:
        fenced = frame.join(fence, on=["topic", "partition"], how="left", maintain_order="left")
        return fenced.filter(pl.col(column) >= pl.col("fence").fill_null(0)).drop("fence")

    return replace(
        batch,
        spans=beyond(batch.spans, "offset"),
        facts={name: beyond(frame, "offset") for name, frame in batch.facts.items()},
        dead_letters=beyond(batch.dead_letters, "offset"),
        stated=beyond(batch.stated, "offset"),
        repeated=beyond(batch.repeated, "offset"),
        offsets=beyond(batch.offsets, "next_offset"),
        before=before,
    )


def _stamped(batch: Batch, now: datetime) -> Batch:
    stamp = pl.lit(now, dtype=pl.Datetime("us")).alias("ingested_at")
    facts = {name: frame.with_columns(stamp) for name, frame in batch.facts.items()}
    stated, repeated = (frame.with_columns(stamp) for frame in (batch.stated, batch.repeated))
    return replace(batch, spans=batch.spans.with_columns(stamp), facts=facts, stated=stated, repeated=repeated)


def _without_known(batch: Batch, connection: duckdb.DuckDBPyConnection) -> Batch:
    spans, facts, repeated = batch.spans, batch.facts, batch.repeated
    known = existing_span_keys(connection, spans.select(*_KEY, "started_at"))
    if batch.shares_ids or not known.is_empty():
        held = stored_spans(connection, spans.join(known, on=_KEY, how="semi").select(*_KEY, "started_at"))
        apart = told_apart(spans, held)
        # One that got an id of its own may have been stored under it before.
        before = existing_span_keys(
            connection,
            apart.spans.join(apart.renamed, left_on=_KEY, right_on=["trace_id", "own_id"], how="semi"),
        )
        spans = apart.spans.join(before, on=_KEY, how="anti", maintain_order="left")
        facts = {name: restated(frame, apart.renamed, apart.spans) for name, frame in facts.items()}
        stored_before = apart.spans.join(before, on=_KEY, how="semi").select(repeated.columns)
        repeated = pl.concat([repeated, apart.repeated, stored_before])
    # A fact is new when the span that states it is; a span sent twice in one batch states it once.
    place = [*_KEY, "topic", "partition", "offset"]
    first = spans.select(place)
    facts = {
        name: frame.join(first, on=place, how="semi", nulls_equal=True, maintain_order="left").unique(
            maintain_order=True
        )
        for name, frame in facts.items()
    }
    facts["outcomes"] = facts["outcomes"].drop("span_id")
    return replace(batch, spans=spans, facts=facts, repeated=repeated, stated=_new_statements(batch.stated, connection))


def _new_statements(stated: pl.DataFrame, connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Statements that were not made before: the same one has the same id and time, however often it is delivered."""
    if stated.is_empty():
        return stated
    bounds = {"earliest": stated["at"].min(), "latest": stated["at"].max()}
    known = connection.execute(sql("existing_outcomes"), bounds).pl()
    return stated.join(known, on="outcome_id", how="anti", maintain_order="left")


def _insert_new(
    warehouse: Warehouse, connection: duckdb.DuckDBPyConnection, table: str, key: str, frame: pl.DataFrame
) -> None:
    if frame.is_empty():
        return
    known = connection.execute(f'SELECT "{key}" FROM "{table}"').pl()  # noqa: S608 - names of ours, never from a trace
    # A message polled again after a rebalance may be in one batch twice.
    new = frame.unique(key, keep="first", maintain_order=True).join(known, on=key, how="anti", maintain_order="left")
    warehouse.insert(connection, table, new)


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
    fresh = _stamped(_without_known(batch, connection), now)
    _insert_rows(fresh, warehouse, connection)
    _insert_new(warehouse, connection, "price_list", "price_id", batch.prices)
    return fresh


def _insert_rows(fresh: Batch, warehouse: Warehouse, connection: duckdb.DuckDBPyConnection) -> None:
    warehouse.insert(connection, "spans", fresh.spans)
    for name, frame in fresh.facts.items():
        warehouse.insert(connection, name, frame)
    warehouse.insert(connection, "outcomes", fresh.stated)
    warehouse.insert(connection, "redeliveries", fresh.repeated)

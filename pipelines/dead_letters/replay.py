"""Dead letters through the stages once more, after a fix: what can be read now is committed under its own offsets.

It stands beside the stream, on the warehouse alone: no topic is read and no consumed offset moves. Spans that came by
another way in the meantime are left out as redelivered ones are. Each group of letters is one transaction together with
the note that they were replayed, so a crash leaves a letter either replayed or as it was.

Replayed spans carry the quality flag ``replayed`` and change the marts, never the alarms: the watermark has passed their
time, and detectors that are built anew from the warehouse must come to the same alarms as those that ran on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import duckdb
import polars as pl

from pipelines import batch as batches
from pipelines.dead_letters import sql
from pipelines.settings import Settings
from pipelines.sources.base import MESSAGE_SCHEMA
from pipelines.sources.kafka import SOURCE_FILE_HEADER, utc_now
from pipelines.stages.rates import read_rates
from warehouse import Warehouse, WarehouseBusyError

#: Letters read and committed together; one alone may be larger.
_GROUP_LETTERS = 500
_GROUP_BYTES = 32 * 2**20
_PLACE = ["topic", "partition", "offset"]


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of one dead letter.

    Attributes
    ----------
    dead_letter_id : str
    place : str
        ``topic[partition]@offset``.
    spans : int or None
        Spans added, 0 when all of them were there already; None when it still can't be read.
    why : str
        What still keeps it from being read; empty when it was replayed.
    """

    dead_letter_id: str
    place: str
    spans: int | None
    why: str = ""


def replay(warehouse: Warehouse, settings: Settings, ids: Sequence[str]) -> Iterator[Replayed]:
    """Yield what came of each of these dead letters; those replayed before are passed over.

    A letter that breaks a stage, or whose rows the warehouse refuses, is tried alone and stays; the others go on.

    Raises
    ------
    warehouse.WarehouseBusyError
        The catalog stayed locked; what was yielded is committed.
    """
    for group in _groups(warehouse.query(sql("to_replay"), [list(ids)])):
        yield from _attempt(warehouse, settings, warehouse.query(sql("by_id"), [group]))


def _groups(sizes: pl.DataFrame) -> Iterator[list[str]]:
    group: list[str] = []
    weight = 0
    for name, size in sizes.iter_rows():
        if group and (len(group) >= _GROUP_LETTERS or weight + size > _GROUP_BYTES):
            yield group
            group, weight = [], 0
        group.append(name)
        weight += size
    if group:
        yield group


def _attempt(warehouse: Warehouse, settings: Settings, letters: pl.DataFrame) -> list[Replayed]:
    try:
        return _through(warehouse, settings, letters)
    except WarehouseBusyError:
        raise
    except Exception as error:
        if len(letters) == 1:
            why = f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]
            return [Replayed(letters["dead_letter_id"][0], place_of(letters.row(0, named=True)), None, why)]
    return [one for row in range(len(letters)) for one in _attempt(warehouse, settings, letters[row : row + 1])]


def _through(warehouse: Warehouse, settings: Settings, letters: pl.DataFrame) -> list[Replayed]:
    prepared = batches.prepare(messages_of(letters), settings, rates=read_rates(warehouse.query))
    dead = prepared.dead_letters.select("dead_letter_id", "reason", "detail")
    still = {name: f"{reason}: {detail}" for name, reason, detail in dead.iter_rows()}
    readable = letters.filter(~pl.col("dead_letter_id").is_in(list(still)))
    added = _commit(prepared, readable, warehouse)
    return [
        Replayed(row["dead_letter_id"], place_of(row), added.get(name), still.get(name, ""))
        for row in letters.iter_rows(named=True)
        if (name := row["dead_letter_id"]) in added or name in still
    ]


def _commit(prepared: batches.Batch, readable: pl.DataFrame, warehouse: Warehouse) -> dict[str, int]:
    """Write the spans and facts of the readable letters with their marks; return the spans added, by letter."""
    if readable.is_empty():
        return {}
    mark = pl.lit(["replayed"], dtype=pl.List(pl.String))
    spans = prepared.spans.with_columns(quality_flags=pl.concat_list("quality_flags", mark))

    def work(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
        waiting = connection.execute(sql("to_replay"), [readable["dead_letter_id"].to_list()]).pl()
        # Another replay of the same letters may have been first.
        letters = readable.join(waiting, on="dead_letter_id", how="semi").select("dead_letter_id", *_PLACE)
        now = utc_now()
        own = spans.join(letters, on=_PLACE, how="semi", maintain_order="left")
        fresh = batches.restate(replace(prepared, spans=own), warehouse, connection, now)
        counted = letters.join(fresh.spans.group_by(_PLACE).len("spans"), on=_PLACE, how="left").select(
            "dead_letter_id", pl.col("spans").fill_null(0).cast(pl.Int64), pl.lit(now).alias("at")
        )
        connection.register("replayed_letters", counted.to_arrow())
        try:
            connection.execute(sql("mark_replayed"))
        finally:
            connection.unregister("replayed_letters")
        return dict(counted.select("dead_letter_id", "spans").iter_rows())

    return warehouse.transaction(work)


def messages_of(letters: pl.DataFrame) -> pl.DataFrame:
    """Return the messages (``MESSAGE_SCHEMA``) that dead letters were made from."""
    files = [_source_file(topic, headers) for topic, headers in letters.select("topic", "headers").iter_rows()]
    return pl.DataFrame(
        {
            **letters.select(*_PLACE, next_offset=pl.col("offset") + 1).to_dict(),
            "message_at": letters["message_at"],
            "source_file": files,
            "headers": letters["headers"],
            "value": letters["payload"],
        },
        schema=MESSAGE_SCHEMA,
    )


def _source_file(topic: str, headers: str | None) -> str | None:
    if topic.startswith("file:"):
        return topic.rpartition("/")[2]
    name = json.loads(headers).get(SOURCE_FILE_HEADER) if headers else None
    return None if name is None else str(name)[:200]


def place_of(letter: dict[str, object]) -> str:
    """Where a dead letter came from, as errors name places."""
    return f"{letter['topic']}[{letter['partition']}]@{letter['offset']}"

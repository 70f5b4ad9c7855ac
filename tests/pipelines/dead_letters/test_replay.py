"""Dead letters after a fix: read once, stored once, counted in the marts, kept from the detectors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipelines import batch as batches
from pipelines.dead_letters.replay import Replayed, replay
from pipelines.notifications.notifier import Notifier
from pipelines.settings import Settings
from pipelines.sources.files import FileSource
from pipelines.stages.decode import Decoded, decode
from pipelines.stream import Stream
from tests.pipelines.otlp import START_NS, as_json, as_protobuf, messages, request, span
from warehouse import Warehouse

CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4.1", "gen_ai.usage.input_tokens": 900}
OUTCOME = {"plumbline.outcome.status": "success"}
MARK = b"not readable yet"
IDS = 'SELECT dead_letter_id FROM dead_letters ORDER BY topic, "partition", "offset"'
MARKS = 'SELECT "offset", replayed_at IS NOT NULL AS done, replayed_spans AS spans FROM dead_letters ORDER BY ALL'


def unreadable(number: int, **more: Any) -> bytes:
    """A message of one run (two spans and an outcome) that today's decoder reads and yesterday's, below, does not."""
    trace = f"{number:032x}"
    root = span({**OUTCOME, "note": MARK.decode()}, trace_id=trace, span_id="1" * 16, parent="", name="run")
    return as_json(request(root, span({**CHAT, **more}, trace_id=trace, span_id="2" * 16, parent="1" * 16)))


@contextmanager
def before_the_fix(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The stages of yesterday: messages with the mark are garbage to them."""

    def older(found: pl.DataFrame) -> Decoded:
        garbled = [b"\xff\xff" if value and MARK in value else value for value in found["value"].to_list()]
        return decode(found.with_columns(value=pl.Series(garbled, dtype=pl.Binary)))

    with monkeypatch.context() as patch:
        patch.setattr(batches, "decode", older)
        yield


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


@pytest.fixture
def warehouse(settings: Settings) -> Iterator[Warehouse]:
    with Warehouse.open(settings.warehouse) as warehouse:
        yield warehouse


def store(warehouse: Warehouse, settings: Settings, *values: bytes) -> None:
    batches.commit(batches.prepare(messages(*values), settings), warehouse)


def replay_all(warehouse: Warehouse, settings: Settings) -> list[Replayed]:
    return list(replay(warehouse, settings, warehouse.query(IDS)["dead_letter_id"].to_list()))


def test_after_a_fix_letters_are_stored_as_if_they_had_been_read_at_once(
    warehouse: Warehouse, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    values = [unreadable(1), as_protobuf(request(span(CHAT, trace_id="9" * 32))), unreadable(2)]
    with before_the_fix(monkeypatch):
        store(warehouse, settings, *values)
    assert warehouse.query("SELECT count(*) FROM spans").item() == 1
    offsets = warehouse.query("SELECT * FROM consumed_offsets")
    found = replay_all(warehouse, settings)
    assert [(one.place, one.spans, one.why) for one in found] == [
        ("otlp_spans[0]@0", 2, ""),
        ("otlp_spans[0]@2", 2, ""),
    ]
    assert warehouse.query(MARKS).rows() == [(0, True, 2), (2, True, 2)]
    assert_frame_equal(warehouse.query("SELECT * FROM consumed_offsets"), offsets)
    whole = Settings(home=tmp_path / "whole")
    with Warehouse.open(whole.warehouse) as other:
        store(other, whole, *values)
        for table in ("spans", "outcomes", "price_list"):
            flags = ", quality_flags" if table == "spans" else ""
            when = "" if table == "price_list" else f" EXCLUDE (ingested_at{flags})"
            sql = f"SELECT *{when} FROM {table} ORDER BY ALL"
            assert_frame_equal(warehouse.query(sql), other.query(sql))
    flagged = 'SELECT "offset", quality_flags FROM spans WHERE quality_flags <> [] ORDER BY ALL'
    assert warehouse.query(flagged).rows() == [(0, ["replayed"])] * 2 + [(2, ["replayed"])] * 2


def test_a_second_replay_finds_nothing_to_do(
    warehouse: Warehouse, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with before_the_fix(monkeypatch):
        store(warehouse, settings, unreadable(1))
    assert [one.spans for one in replay_all(warehouse, settings)] == [2]
    tables = ("spans", "outcomes", "dead_letters")
    before = [warehouse.query(f"SELECT * FROM {table} ORDER BY ALL") for table in tables]
    assert replay_all(warehouse, settings) == []
    for table, frame in zip(tables, before, strict=True):
        assert_frame_equal(warehouse.query(f"SELECT * FROM {table} ORDER BY ALL"), frame)


def test_spans_that_came_by_another_way_are_not_doubled(
    warehouse: Warehouse, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with before_the_fix(monkeypatch):
        store(warehouse, settings, unreadable(1))
    again = messages(b"", unreadable(1)).tail(1)  # delivered a second time, at the next offset
    batches.commit(batches.prepare(again, settings), warehouse)
    assert [one.spans for one in replay_all(warehouse, settings)] == [0]
    assert warehouse.query("SELECT count(*) FROM spans").item() == 2
    assert warehouse.query("SELECT count(*) FROM outcomes").item() == 1
    assert warehouse.query(MARKS).rows() == [(0, True, 0)]


def test_what_still_cannot_be_read_stays_and_says_why_and_the_others_go_on(
    warehouse: Warehouse, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with before_the_fix(monkeypatch):
        store(warehouse, settings, unreadable(1), b'{"broken": ', b"", unreadable(2), b"\xff\xff")
    found = {one.place[-1]: one for one in replay_all(warehouse, settings)}
    assert {place: one.spans for place, one in found.items()} == {"0": 2, "1": None, "2": None, "3": 2, "4": None}
    assert found["1"].why.startswith("invalid_json: ") and found["2"].why.startswith("empty_message: ")
    assert warehouse.query(MARKS)["done"].to_list() == [True, False, False, True, False]
    assert warehouse.query('SELECT octet_length(payload) FROM dead_letters WHERE "offset" = 1').item() == 11


@pytest.mark.parametrize("step", ["decode", "price", "restate"])
def test_a_letter_that_breaks_a_stage_or_the_commit_keeps_no_other_from_being_replayed(
    step: str, warehouse: Warehouse, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with before_the_fix(monkeypatch):
        store(
            warehouse, settings, *(unreadable(number, poison="yes" if number == 2 else "no") for number in range(1, 5))
        )
    original = getattr(batches, step)

    def breaks(*arguments: Any) -> Any:
        told = [argument for argument in arguments if isinstance(argument, (pl.DataFrame, batches.Batch))]
        frame = told[0].spans if isinstance(told[0], batches.Batch) else told[0]
        texts = frame["value"].cast(pl.String) if "value" in frame.columns else frame["attributes"]
        if texts.str.contains("yes", literal=True).any():
            raise RuntimeError("the poison\nacts")
        return original(*arguments)

    monkeypatch.setattr(batches, step, breaks)
    found = replay_all(warehouse, settings)
    assert [one.spans for one in found] == [2, None, 2, 2]
    assert found[1].why == "RuntimeError: the poison acts"
    assert warehouse.query('SELECT DISTINCT "offset" FROM spans ORDER BY ALL')["offset"].to_list() == [0, 2, 3]
    monkeypatch.undo()
    assert [one.spans for one in replay_all(warehouse, settings)] == [2]


def test_letters_beyond_one_group_are_all_replayed(
    warehouse: Warehouse, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with before_the_fix(monkeypatch):
        store(warehouse, settings, *(unreadable(number) for number in range(1, 8)))
    monkeypatch.setattr("pipelines.dead_letters.replay._GROUP_BYTES", 2 * len(unreadable(1)) + 5)
    assert sum(one.spans or 0 for one in replay_all(warehouse, settings)) == 14


def test_the_name_of_the_file_and_the_headers_are_those_of_the_message(
    warehouse: Warehouse, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = messages(unreadable(1), unreadable(2)).with_columns(
        topic=pl.Series(["otlp_spans", "file:/somewhere/b.jsonl"]),
        headers=pl.Series(['{"plumbline-source-file": "a.jsonl"}', None]),
        source_file=pl.Series(["a.jsonl", "b.jsonl"]),
    )
    with before_the_fix(monkeypatch):
        batches.commit(batches.prepare(sent, settings), warehouse)
    replay_all(warehouse, settings)
    files = warehouse.query("SELECT DISTINCT source_file, topic FROM spans ORDER BY ALL").rows()
    assert files == [("a.jsonl", "otlp_spans"), ("b.jsonl", "file:/somewhere/b.jsonl")]


def test_the_detectors_are_the_same_with_and_without_replayed_spans(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lines = tmp_path / "lines.jsonl"
    runs = [(number, START_NS + number * 10_000_000_000) for number in range(10, 20)]
    good = [
        as_json(request(span(CHAT, trace_id=f"{number:032x}", parent="", start_ns=at, end_ns=at + 1_000_000_000)))
        for number, at in runs
    ]
    lines.write_bytes(b"\n".join([*good[:5], unreadable(1), *good[5:]]) + b"\n")

    def detectors() -> int:
        with Warehouse.open(settings.warehouse) as warehouse:
            notifier = Notifier(settings, warehouse)
            stream = Stream(settings, FileSource([str(lines)]), warehouse, notifier, lambda _: None)
            stream.run(until_end=True)
            return stream.detection.observations

    with before_the_fix(monkeypatch):
        observations = detectors()
    assert observations > 0
    with Warehouse.open(settings.warehouse) as warehouse:
        assert [one.spans for one in replay_all(warehouse, settings)] == [2]
    (settings.checkpoints / "detectors.zip").unlink()
    assert detectors() == observations, "built anew from the warehouse, they judge what they judged at the time"

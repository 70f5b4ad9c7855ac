"""One span delivered twice is stored once and noted; two spans under the same ids are both stored."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.batch import commit, prepare
from pipelines.settings import Settings
from tests.pipelines.otlp import START_NS, as_json, messages, request, span
from warehouse import Warehouse

FIRST = span({"gen_ai.operation.name": "chat"}, name="first")
OTHER = span(
    {"gen_ai.operation.name": "chat"},
    name="other",
    events=[("plumbline.approval", {"plumbline.approval.status": "granted"})],
)
LATER = span(name="first", start_ns=START_NS + 1_000_000)
STRANGE = [span({"n": number}, span_id="__call_id__") for number in range(2)]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


def payload(*spans: dict[str, Any]) -> bytes:
    # Our ids are hex elsewhere; OTLP/JSON lets anything through.
    return as_json(request(*spans))


def stored(settings: Settings, *batches: list[bytes]) -> Warehouse:
    warehouse = Warehouse.open(settings.warehouse)
    start = 0
    for values in batches:
        frame = messages(*values).with_columns(pl.col("offset") + start, pl.col("next_offset") + start)
        start += len(values)
        commit(prepare(frame, settings), warehouse)
    return warehouse


@pytest.mark.parametrize("cut", [1, 2, 3, 4])
def test_redelivered_and_colliding_spans_do_not_depend_on_batches(cut: int, settings: Settings) -> None:
    values = [payload(FIRST), payload(OTHER), payload(FIRST, LATER), payload(OTHER), payload(*STRANGE)]
    with stored(settings, values[:cut], values[cut:], values) as warehouse:
        spans = warehouse.query("SELECT name, span_id, started_at, quality_flags FROM spans ORDER BY ALL")
        assert spans.height == spans["span_id"].n_unique() == 5
        assert spans.filter(pl.col("span_id") == "b" * 16)["name"].to_list() == ["first"]
        collided = spans.filter(pl.col("quality_flags").list.contains("span_id_collision"))
        assert sorted(collided["name"]) == ["chat", "first", "other"]
        # Ten spans were sent twice over; five of them are stored.
        again = warehouse.query('SELECT count(*) AS n, count(DISTINCT "offset") AS messages FROM redeliveries').row(0)
        assert again == (2 + 7, 7)


def test_ids_of_colliding_spans_follow_from_their_content(settings: Settings, tmp_path: Path) -> None:
    found = []
    for number, order in enumerate(itertools.permutations([payload(OTHER), payload(LATER)])):
        home = Settings(home=tmp_path / str(number))
        with stored(home, [payload(FIRST), *order]) as warehouse:
            found.append(warehouse.query("SELECT name, span_id FROM spans ORDER BY ALL").rows())
    assert found[0] == found[1]


def test_a_colliding_spans_facts_go_with_it(settings: Settings) -> None:
    with stored(settings, [payload(FIRST)], [payload(OTHER)], [payload(OTHER)]) as warehouse:
        rows = warehouse.query(
            "SELECT s.name, a.status FROM approvals AS a JOIN spans AS s USING (trace_id, span_id)"
        ).rows()
        assert rows == [("other", "granted")]


def test_an_ordinary_batch_notes_no_redelivery(settings: Settings) -> None:
    with stored(settings, [payload(FIRST, span(span_id="d" * 16))]) as warehouse:
        assert warehouse.query("SELECT count(*) FROM redeliveries").item() == 0

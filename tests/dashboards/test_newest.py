"""The newest snapshot: asked again whenever the catalog may hold another one, and by nobody who waits for a page."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dashboards import newest
from dashboards.access.scope import Scope
from dashboards.app import Kept, Pages, render
from dashboards.data import Reader, statement
from dashboards.filters import Filters
from dashboards.newest import Newest
from warehouse import Warehouse

LONG_AGO = 1_700_000_000_000_000_000
LONG_PAST = datetime(2020, 1, 1)


def _stream(home: Path) -> None:
    """Commit a span, as the stream does beside the dashboard."""
    with Warehouse.open(home / "warehouse") as warehouse:
        spans = pl.DataFrame({"trace_id": ["a"], "span_id": ["b"], "run_id": ["a"], "workflow": ["w"], "kind": ["run"]})
        warehouse.transaction(lambda connection: warehouse.insert(connection, "spans", spans))


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(newest, "_TRUSTED_SECONDS", float("inf"))
    for name in ("catalog.sqlite", "catalog.sqlite-wal"):
        (tmp_path / name).write_text("a")
        os.utime(tmp_path / name, ns=(LONG_AGO, LONG_AGO))
    return tmp_path / "catalog.sqlite"


def test_it_is_asked_once_while_nothing_is_written(catalog: Path) -> None:
    asked: list[int] = []
    of = Newest(catalog)
    assert [of.snapshot(lambda: asked.append(1) or 7) for _ in range(3)] == [7, 7, 7]
    assert len(asked) == 1
    of.forget()
    assert of.snapshot(lambda: 8) == 8


@pytest.mark.parametrize("name", ["catalog.sqlite", "catalog.sqlite-wal"])
def test_it_is_asked_again_after_a_write(catalog: Path, name: str) -> None:
    of, file = Newest(catalog), catalog.with_name(name)
    assert of.snapshot(lambda: 1) == 1
    os.utime(file, ns=(LONG_AGO + 1, LONG_AGO + 1))
    assert of.snapshot(lambda: 2) == 2
    file.write_text("ab")
    os.utime(file, ns=(LONG_AGO + 1, LONG_AGO + 1))
    assert of.snapshot(lambda: 3) == 3
    file.unlink()
    assert of.snapshot(lambda: 4) == 4


def test_a_write_that_has_just_begun_may_not_be_seen_yet(catalog: Path) -> None:
    of = Newest(catalog)
    catalog.write_text("now")
    future = 4_000_000_000_000_000_000
    os.utime(catalog, ns=(future, future))
    assert [of.snapshot(lambda: 1), of.snapshot(lambda: 2)] == [1, 2]


def test_after_a_while_it_is_asked_whatever_the_files_say(catalog: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of = Newest(catalog)
    assert of.snapshot(lambda: 1) == 1
    monkeypatch.setattr(newest, "_TRUSTED_SECONDS", -1.0)
    assert of.snapshot(lambda: 2) == 2


def asked_beside_a_statement(reader: Reader, pages: Kept) -> list[object]:
    """The page as somebody gets it while another's statement runs; nothing where it waited for that."""
    got: list[object] = []
    asking = threading.Thread(target=lambda: got.append(render(pages, "/cost", Filters())), daemon=True)
    with reader._lock:
        asking.start()
        asking.join(60)
        return [*got]


def test_a_kept_page_waits_for_no_statement(own_home: Path) -> None:
    reader = Reader(own_home)
    pages = Kept(Pages(reader))
    first = render(pages, "/cost", Filters())
    _stream(own_home)
    again = asked_beside_a_statement(reader, pages)
    assert again and again[0] is first
    with Warehouse.open(own_home / "warehouse") as warehouse:
        warehouse.transaction(
            lambda connection: connection.execute("CREATE OR REPLACE TABLE runs AS FROM runs LIMIT 9")
        )
    assert render(pages, "/cost", Filters()) is not first
    reader.close()


def test_a_commit_while_it_is_asked_what_changed_leaves_the_copies(own_home: Path) -> None:
    reader = Reader(own_home)
    reader.rows("reuse", [*[LONG_PAST] * 4, None])
    copies, warehouse = reader._copies, reader._warehouse
    assert copies is not None and warehouse is not None and "reuse_daily" in copies._there["main"]
    query, others = warehouse.query, []

    def beside(sql: str, params: Sequence[Any] = ()) -> pl.DataFrame:
        if sql == statement("changes_since"):
            others.append(_stream(own_home))
        return query(sql, params)

    warehouse.query = beside  # pyright: ignore[reportAttributeAccessIssue]
    _stream(own_home)
    reader.tables()
    assert others
    assert "reuse_daily" in copies._there["main"]
    reader.close()


def test_a_commit_while_it_is_asked_what_changed_leaves_the_pages(own_home: Path) -> None:
    reader = Reader(own_home)
    reader.revision()
    revision = reader.revision()  # as the watcher has it
    watcher = reader._watcher
    assert watcher is not None
    query, asked = watcher.query, []

    def beside(sql: str, params: Sequence[Any] = ()) -> pl.DataFrame:
        asked.append(sql)
        if sql == statement("changes_since"):
            _stream(own_home)
        return query(sql, params)

    watcher.query = beside  # pyright: ignore[reportAttributeAccessIssue]
    _stream(own_home)
    assert reader.revision() == revision
    assert statement("changes_since") in asked
    assert statement("revision") not in asked
    reader.close()


def test_an_incident_leaves_the_answers_that_do_not_speak_of_it(own_home: Path) -> None:
    reader = Reader(own_home)
    params = [*[LONG_PAST] * 4, None]
    reuse, judged = reader.kept("reuse", params), reader.kept("incidents", [LONG_PAST, None])
    precision = reader.kept("precision")
    _stream(own_home)
    with Warehouse.open(own_home / "warehouse") as warehouse:
        warehouse.transaction(
            lambda connection: connection.execute("UPDATE incidents SET updated_at = updated_at + INTERVAL 1 SECOND")
        )
    assert reader.kept("reuse", params) is reuse
    assert reader.kept("incidents", [LONG_PAST, None])["updated_at"].to_list() != judged["updated_at"].to_list()
    assert reader.kept("precision") is not precision  # which reads the spans, by a view
    with Warehouse.open(own_home / "warehouse") as warehouse:
        warehouse.transaction(
            lambda connection: connection.execute("CREATE OR REPLACE TABLE reuse_daily AS FROM reuse_daily LIMIT 0")
        )
    assert reader.kept("reuse", params) is not reuse
    reader.close()


def test_a_team_s_kept_page_waits_for_no_statement(own_home: Path) -> None:
    reader = Reader(own_home, Scope(frozenset({"payments"})))
    pages = Kept(Pages(reader))
    first = render(pages, "/cost", Filters())
    again = asked_beside_a_statement(reader, pages)
    assert again and again[0] is first
    reader.close()

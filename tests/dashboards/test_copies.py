"""Copies in memory: they answer as the lake does, and never as it was before."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from polars.testing import assert_frame_equal

from dashboards import copies
from dashboards.access.readers import Readers
from dashboards.access.viewer import Role, Viewer
from dashboards.copies import BY_HOUR, Copies, Stored
from dashboards.data import QUERIES, Reader, statement
from dashboards.filters import Filters
from tests.benchmarks.viewing import home_of
from warehouse import Warehouse, marts, read_only

HOUR = 17
SPANS = [datetime(2026, 6, 29), datetime(2026, 7, 28, HOUR), datetime(2026, 7, 29), datetime(2026, 8, 27, HOUR)]
DAY = 86_400
FILTERS = ([None] * 4, ["workflow-3", None, None, None], [None, "production", "team-2", "2026.4"])


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Marts of half a year, with every mart by hour."""
    return home_of(tmp_path_factory.mktemp("copies") / "home", 60_000)


@pytest.fixture(scope="module")
def lake(large: Path) -> Iterator[Warehouse]:
    with read_only(large / "warehouse") as warehouse:
        yield warehouse


def _parameters(name: str, workflow: Any, environment: Any, team: Any, release: Any) -> list[Any]:
    """As pages ask these statements."""
    by_bucket = [*SPANS, workflow, environment, DAY, team, release]
    return {
        "tool_durations": [*by_bucket, None],
        "model_usage": [*SPANS, workflow, environment, team, release],
        "spend_by_day": [workflow, environment, team, release],
        "chargeback": [*SPANS[2:], workflow, environment, team, release, "cost_center"],
        "control": [*SPANS, workflow, environment],
        "extent": [],
    }.get(name, by_bucket)


def _asks(mart: str) -> list[str]:
    found = (path for path in QUERIES.glob("*.sql") if re.search(rf"\bFROM {mart}\b", path.read_text(encoding="utf-8")))
    return sorted(path.stem for path in found)


@pytest.mark.parametrize("filters", FILTERS, ids=["fleet", "workflow", "others"])
@pytest.mark.parametrize(("mart", "name"), [(mart, name) for mart in sorted(BY_HOUR) for name in _asks(mart)])
def test_parts_of_days_answer_as_the_hours_do(
    lake: Warehouse, large: Path, mart: str, name: str, filters: list
) -> None:
    params = _parameters(name, *filters)
    expected = lake.query(statement(name), params)
    with read_only(large / "warehouse") as other:
        made = Copies(other)
        made.know({mart: Stored(1, 0)}, None)
        made.part_at(HOUR)
        made.bring({mart}, params, by_day=True, marts=marts.names())
        found = other.query(statement(name), params)
        rows = other.query(f"SELECT count(*) FROM copies.by_day.{mart}").item()
    assert 0 < rows < lake.query(f"SELECT count(*) FROM {mart}").item()
    if name != "control":
        assert expected.height
    # Sums in another order differ in their last digits.
    assert_frame_equal(found, expected, check_row_order=True, rel_tol=1e-9)


def test_what_is_asked_more_finely_than_the_parts_is_asked_of_the_hours(large: Path) -> None:
    with read_only(large / "warehouse") as other:
        made = Copies(other)
        made.know({"runs_hourly": Stored(1, 0)}, None)
        made.part_at(HOUR)
        between = [*SPANS[:3], datetime(2026, 8, 27, HOUR - 1), None, None, DAY, None, None]
        made.bring({"runs_hourly"}, between, by_day=True, marts=marts.names())
        with pytest.raises(duckdb.CatalogException):
            other.query("FROM copies.by_day.runs_hourly")
        made.bring({"runs_hourly"}, [*SPANS, None, None, 7_200, None, None], by_day=False, marts=marts.names())
        with pytest.raises(duckdb.CatalogException):
            other.query("FROM copies.by_day.runs_hourly")


def _held(reader: Reader) -> set[str]:
    found = reader._open().query("SELECT table_name FROM duckdb_tables() WHERE database_name = 'copies'")
    return set(found["table_name"])


def _write(home: Path, *statements: str) -> None:
    with Warehouse.open(home / "warehouse") as warehouse:
        for each in statements:
            warehouse.transaction(lambda connection, each=each: connection.execute(each))


def test_a_changed_table_answers_as_it_is_now(own_home: Path) -> None:
    reader = Reader(own_home)
    with reader.settled():
        before = reader.rows("rollback", [None])
    assert "rollback_readiness" in _held(reader)
    _write(own_home, "UPDATE rollback_readiness SET score = 0.125")
    with reader.settled():
        assert reader.rows("rollback", [None])["score"].to_list() == [0.125] * before.height
    _write(
        own_home,
        "CREATE TABLE other AS FROM rollback_readiness LIMIT 1",
        "DROP TABLE rollback_readiness",
        "ALTER TABLE other RENAME TO rollback_readiness",
    )
    assert reader.rows("rollback", [None]).height == 1
    reader.close()


def test_where_snapshots_have_expired_all_is_copied_anew(own_home: Path) -> None:
    reader = Reader(own_home)
    reader.rows("rollback", [None])
    _write(own_home, "UPDATE rollback_readiness SET score = 0.25", "UPDATE incidents SET updated_at = opened_at")
    with Warehouse.open(own_home / "warehouse") as warehouse:
        warehouse.connection.execute(
            "CALL ducklake_expire_snapshots('lake', older_than => (now() + INTERVAL 1 HOUR)::TIMESTAMPTZ)"
        )
    assert set(reader.rows("rollback", [None])["score"]) == {0.25}
    reader.close()


def test_a_large_table_and_one_that_is_being_written_are_asked_in_the_lake(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Reader(own_home)
    assert reader.rows("incidents", [datetime(2020, 1, 1), None]).height
    assert "incidents" in _held(reader)
    _write(own_home, "UPDATE incidents SET state = 'resolved'")
    for _ in range(2):
        assert set(reader.rows("incidents", [datetime(2020, 1, 1), None])["state"]) == {"resolved"}
        assert "incidents" not in _held(reader)
    monkeypatch.setattr(copies, "_QUIET_SECONDS", 0.0)
    reader.rows("incidents", [datetime(2020, 1, 1), None])
    assert "incidents" in _held(reader)
    monkeypatch.setattr(copies, "_MOST_BYTES", -1)
    reader.rows("rollback", [None])
    assert "rollback_readiness" not in _held(reader)
    reader.close()


def test_a_page_is_made_of_one_look_and_the_next_sees_what_came(own_home: Path) -> None:
    reader = Reader(own_home)
    with reader.settled():
        first = reader.revision()
        _write(own_home, "UPDATE incidents SET updated_at = updated_at + INTERVAL 1 SECOND")
        assert reader.revision() == first
    assert reader.revision() != first
    reader.close()


def test_what_a_scope_holds_follows_whose_it_is(own_home: Path) -> None:
    _write(own_home, "UPDATE acknowledgements SET incident_id = (SELECT min(incident_id) FROM incidents)")
    reader = Readers(own_home).reader_for(Viewer("x", Role.VIEWER, frozenset({"finance"})))
    shown = reader.view(Filters(period="all"))
    assert shown is not None and shown.incidents.height
    ids = [shown.incidents["incident_id"].to_list()]
    assert reader.rows("judgements", ids).height
    assert "acknowledgements" in _held(reader)
    _write(own_home, "UPDATE incidents SET workflow = 'somebody-else'")
    assert reader.rows("judgements", ids).is_empty(), "its rows are the incident's"
    reader.close()


def test_every_mart_by_hour_keeps_its_columns(lake: Warehouse) -> None:
    for mart in BY_HOUR:
        own = lake.query(f"DESCRIBE FROM {mart}").select("column_name", "column_type")
        sql = (Path(copies.__file__).parent / f"{mart}.sql").read_text(encoding="utf-8").replace("$1", str(HOUR))
        summed = lake.query(f"DESCRIBE {sql}").select("column_name", "column_type")
        assert_frame_equal(own.sort("column_name"), summed.sort("column_name"))
    assert {name for name in marts.names() if name.endswith("_hourly")} == BY_HOUR


def test_a_reader_without_a_page_asks_the_hours(large: Path) -> None:
    reader = Reader(large)
    view = reader.view(Filters(period="90d"))
    assert view is not None
    by_hour = reader.rows("cohorts", view.parameters())
    assert "runs_hourly" not in _held(reader)
    with reader.settled():
        assert reader.view(Filters(period="90d")) is not None
        by_part = reader.rows("cohorts", view.parameters())
    assert "runs_hourly" in _held(reader)
    assert_frame_equal(by_hour, by_part, rel_tol=1e-9)
    reader.close()

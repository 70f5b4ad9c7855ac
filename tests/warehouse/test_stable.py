"""Stable views: what was promised is still offered, and the views keep it, whatever becomes of the tables below them."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from warehouse import Warehouse, marts, stable
from warehouse.dictionary import relations
from warehouse.stable import Promise, broken, read_promises

PROMISED = read_promises(Path(__file__).with_name("promised_views.csv"))


def test_nothing_promised_is_taken_away_without_a_new_version() -> None:
    assert broken(PROMISED, read_promises()) == [], (
        "keep the view as it was (its column `source` may be an expression) and add the change as the next version; "
        "when a release has gone by, drop the old one here and in promised_views.csv"
    )


@pytest.mark.parametrize(
    ("offered", "line"),
    [
        ([], "a_v1 is gone"),
        ([Promise("a_v1", "n", "BIGINT", "")], "a_v1.m VARCHAR is gone"),
        (
            [Promise("a_v1", "n", "BIGINT", ""), Promise("a_v1", "other", "VARCHAR", "")],
            "a_v1.m VARCHAR is other VARCHAR",
        ),
        ([Promise("a_v1", "n", "BIGINT", ""), Promise("a_v1", "m", "DOUBLE", "")], "a_v1.m VARCHAR is m DOUBLE"),
    ],
    ids=["view dropped", "column dropped", "renamed", "another type"],
)
def test_a_change_of_a_promise_is_named(offered: list[Promise], line: str) -> None:
    promised = [Promise("a_v1", "n", "BIGINT", ""), Promise("a_v1", "m", "VARCHAR", "")]
    assert broken(promised, offered) == [line]


def test_what_is_added_breaks_nothing() -> None:
    promised = [Promise("a_v1", "n", "BIGINT", "")]
    added = [*promised, Promise("a_v1", "m", "VARCHAR", ""), Promise("a_v2", "n", "DOUBLE", "")]
    assert broken(promised, added) == []


def test_the_views_have_the_columns_and_types_that_are_promised(empty: Warehouse) -> None:
    for name in marts.names():
        marts.build(empty, name)
    stored = empty.connection.execute(
        "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE database_name = 'lake' "
        "AND regexp_full_match(table_name, '.*_v[0-9]+') ORDER BY table_name, column_index"
    ).fetchall()
    assert sorted(stored) == sorted((each.view, each.column, each.type) for each in read_promises())
    for view in stable.views():
        assert (
            empty.query(f"SELECT count(*) FROM {view}").item()
            == empty.query(f"SELECT count(*) FROM {stable.table_of(view)}").item()
        )


def test_views_that_are_current_cost_no_commit_and_survive_a_rebuild(empty: Warehouse) -> None:
    marts.build(empty, "event_clock")
    marts.build(empty, "runs")
    assert stable.stale(empty.connection, ["runs", "spans"]) == {}
    marts.build(empty, "runs", whole=True)
    assert empty.query("SELECT count(*) FROM runs_v1").item() == 0
    assert stable.stale(empty.connection, ["runs"]) == {}


def test_every_stable_view_is_of_a_documented_table() -> None:
    columns = {one.name: one.columns for one in relations()}
    for view, promises in stable.views().items():
        for each in promises:
            assert each.source or each.column in columns[stable.table_of(view)], each


def test_an_older_version_answers_by_an_expression_when_its_column_has_gone(
    empty: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = (Promise("drills_v1", "minutes", "DOUBLE", "date_diff('second', started_at, stopped_at) / 60"),)
    monkeypatch.setattr(stable, "views", lambda: {"drills_v1": old})
    empty.transaction(lambda connection: stable.put(connection, ["drills"]))
    assert empty.connection.execute("SELECT typeof(minutes) FROM drills_v1").fetchall() == []
    gone = (Promise("drills_v1", "nothing", "DOUBLE", ""),)
    monkeypatch.setattr(stable, "views", lambda: {"drills_v1": gone})
    with pytest.raises(duckdb.BinderException, match="nothing"):
        empty.transaction(lambda connection: stable.put(connection, ["drills"]))

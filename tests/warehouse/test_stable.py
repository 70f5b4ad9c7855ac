"""Stable views: what was promised is still offered, and the views keep it, whatever becomes of the tables below them."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import duckdb
import pytest

from warehouse import Reader, Warehouse, WarehouseError, describing, marts, stable
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


def test_no_question_to_a_stable_view_needs_quotes(empty: Warehouse) -> None:
    """Each column that SQL takes for a word of its own has another name beside it, or in its place."""
    for name in marts.names():
        marts.build(empty, name)
    for view, promises in stable.views().items():
        plain = {each.source.strip('"') for each in promises if each.source} | _unquoted(
            each.column for each in promises
        )
        assert {each.column for each in promises} - plain == set(), view
        columns = ", ".join(sorted(_unquoted(each.column for each in promises)))
        assert empty.query(f"SELECT {columns} FROM {view} GROUP BY {columns} ORDER BY {columns}").height >= 0


def test_every_table_with_a_word_of_sql_for_a_column_has_a_stable_view() -> None:
    documented = [one for one in relations() if one.kind != "view"]
    views = {stable.table_of(view) for view in stable.views()}
    periods = {"cost_per_outcome_weekly", "cost_per_outcome_monthly"}  # roll-ups of cost_per_outcome, which has one
    odd = {one.name for one in documented if set(one.columns) - _unquoted(one.columns)}
    assert len(odd) > 10
    assert odd - views - periods == set()


def _unquoted(names: Iterable[str]) -> set[str]:
    """Names that SQL takes for a column's as they are."""
    found: set[str] = set()
    for name in names:
        with suppress(duckdb.Error):
            duckdb.sql(f'SELECT {name} FROM (SELECT 1 AS "{name}") WHERE {name} = 1').fetchall()
            found.add(name)
    return found


def test_a_stable_view_is_described_by_what_its_table_says(empty: Warehouse) -> None:
    view = describing.find("Outcomes_V1")
    table = describing.find("outcomes")
    assert (view.kind, view.grain) == ("stable view", table.grain)
    assert view.columns["status"] == table.columns["status"]
    assert view.columns["occurred_at"] == f"{table.columns['at']} Column `at` of `outcomes`."
    with Reader(empty.path) as reader:
        rows = {row["column"]: row for row in describing.describe(reader, view).iter_rows(named=True)}
    assert list(rows) == [each.column for each in stable.views()["outcomes_v1"]]
    assert (rows["occurred_at"]["type"], rows["occurred_at"]["unit"]) == ("TIMESTAMP", "time, UTC")
    with pytest.raises(WarehouseError, match="did you mean outcomes_v1"):
        describing.find("outcome_v1")

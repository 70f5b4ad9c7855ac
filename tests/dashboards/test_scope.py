"""A viewer of some teams sees nothing of the others: not in a table, not by a query, not on a page."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dashboards.access import scope
from dashboards.access.readers import Readers
from dashboards.access.scope import Scope
from dashboards.access.viewer import LOCAL, Role, Viewer
from dashboards.app import Pages, render
from dashboards.data import QUERIES, Reader
from dashboards.export import Writer
from dashboards.filters import Filters
from dashboards.pages.asked import Asked
from dashboards.pages.registry import PAGES
from tests.dashboards.fleet import TEAMS
from warehouse import Warehouse, marts

NOW = datetime(2026, 3, 8, 12)
#: Tables that everybody sees whole: to add one is a decision, taken here.
SHARED = {
    *("price_list", "catalog_tools", "catalog_components", "catalog_policies", "catalog_currencies"),
    "stream_settings",
}
#: Queries of the catalog's tools and policies alone, which are everybody's.
OF_SHARED = {"tools_declared", "policy_versions"}
#: Tables of which a scoped viewer sees nothing.
CLOSED = {
    *(
        "alarm_precision",
        "applied_acknowledgements",
        "bill_lines",
        "catalog_prices",
        "check_results",
        "consumed_offsets",
    ),
    *(
        "clone_candidates",
        "dead_letters",
        "event_clock",
        "operational_events",
        "redeliveries",
        "repriced_calls",
        "retention",
    ),
    *("schema_migrations", "stg_run_gaps", "stg_outcomes", "stg_workflow_teams", "unmatched_outcomes"),
    *("dead_letters_v1", "operational_events_v1", "redeliveries_v1"),
}


def viewer(*teams: str) -> Viewer:
    return Viewer("ada", Role.VIEWER, frozenset(teams))


def value(column: str, kind: str, whose: str) -> Any:
    """Something of `whose` for a column: every text names it."""
    if column == "scope":
        return "workflow"
    if kind.startswith("VARCHAR"):
        return [whose] if kind.endswith("[]") else whose
    if kind.startswith("TIMESTAMP"):
        return NOW
    known = {"DATE": NOW.date(), "BOOLEAN": True, "BLOB": whose.encode()}
    # Lists, structs and maps of numbers name nobody.
    return known.get(kind, None if "[]" in kind or ("(" in kind and not kind.startswith("DECIMAL")) else 1)


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which every table has a row of workflow `ours` and one of workflow `theirs`, whose texts all say so."""
    home = tmp_path_factory.mktemp("everything")
    with Warehouse.open(home / "warehouse") as warehouse:
        for name in marts.names():
            marts.build(warehouse, name)
        marts.put_live_views(warehouse)
        sql = """
            SELECT t.table_name, list(c.column_name), list(c.data_type)
            FROM duckdb_tables() AS t
            JOIN duckdb_columns() AS c USING (database_name, table_name)
            WHERE t.database_name = 'lake'
            GROUP BY t.table_name
        """

        def fill(connection: duckdb.DuckDBPyConnection) -> None:
            for table, columns, kinds in connection.execute(sql).fetchall():
                for whose in ("ours", "theirs"):
                    if table in ("schema_migrations", "retention"):
                        continue
                    told = "everybody's" if table in SHARED else whose
                    row = [value(column, kind, told) for column, kind in zip(columns, kinds, strict=True)]
                    names = ", ".join(f'"{column}"' for column in columns)
                    marks = ", ".join("?" for _ in columns)
                    connection.execute(f'INSERT INTO "{table}" ({names}) VALUES ({marks})', row)

        warehouse.transaction(fill)
    return home


@pytest.fixture(scope="module")
def scoped(everything: Path) -> Iterator[Reader]:
    reader = Readers(everything).reader_for(viewer("ours"))
    reader.extent()
    yield reader
    reader.close()


@pytest.fixture(scope="module")
def of_finance(home: Path) -> Pages:
    return Pages(Readers(home).reader_for(viewer("finance")))


def tables(home: Path) -> list[str]:
    with Warehouse.open(home / "warehouse", read_only=True) as warehouse:
        sql = "SELECT DISTINCT table_name FROM duckdb_columns() WHERE database_name = 'lake' ORDER BY ALL"
        return warehouse.query(sql)["table_name"].to_list()


def look(reader: Reader, table: str) -> str:
    warehouse = reader._open()
    return repr(warehouse.query(f'SELECT * FROM "{table}"').rows())


def test_no_table_tells_of_another_team(everything: Path, scoped: Reader) -> None:
    names = tables(everything)
    assert len(names) > 60 and set(marts.names()) <= set(names)
    seen = {name: look(scoped, name) for name in names}
    assert not [name for name, rows in seen.items() if "theirs" in rows]
    assert scope._SHARED == SHARED, "what everybody sees whole is decided here too"
    empty = {name for name, rows in seen.items() if rows == "[]"}
    assert empty <= CLOSED, "a table that is closed to scoped viewers stands in CLOSED, or has a rule"


def test_another_team_sees_its_own_rows_and_nobody_none(everything: Path) -> None:
    with_both = Readers(everything).reader_for(viewer("ours", "theirs"))
    assert "ours" in look(with_both, "runs") and "theirs" in look(with_both, "runs")
    none = Readers(everything).reader_for(viewer())
    assert look(none, "runs") == look(none, "spans") == look(none, "incidents") == "[]"
    assert none.extent() is None


def test_the_tables_themselves_are_out_of_reach_by_name_and_so_are_later_ones(everything: Path, own_home: Path) -> None:
    reader = Readers(own_home).reader_for(viewer("finance"))
    warehouse = reader._open()
    cursor = warehouse.connection.cursor()
    seen = cursor.execute("SELECT DISTINCT team FROM runs").fetchall()
    assert seen == [("finance",)], "a cursor of the connection sees no more"
    with Warehouse.open(own_home / "warehouse") as writer:
        writer.transaction(lambda connection: connection.execute("CREATE TABLE later AS SELECT 'theirs' AS workflow"))
    with pytest.raises(duckdb.CatalogException):
        warehouse.query("SELECT * FROM later")


@pytest.mark.parametrize("name", sorted(file.stem for file in QUERIES.glob("*.sql")))
def test_no_query_goes_around_the_views(name: str) -> None:
    sql = re.sub(r"--[^\n]*", "", (QUERIES / f"{name}.sql").read_text(encoding="utf-8")).lower()
    # What DuckLake knows of its tables holds no row of any: names, snapshots, sizes, comments.
    of_ducklake = r"__ducklake_metadata_lake\.ducklake_(snapshot|snapshot_changes|table|table_stats|view|tag)\b"
    allowed = re.sub(rf"database_name = 'lake'|ducklake_table_info\('lake'\)|{of_ducklake}", "", sql)
    assert not re.search(r"\b(lake|memory|main|temp)\s*\.|\blake\b|__ducklake|ducklake_|read_\w+\(|_scan\(", allowed)


@pytest.mark.parametrize("name", sorted(file.stem for file in QUERIES.glob("*.sql")))
def test_no_query_tells_of_another_team(scoped: Reader, everything: Path, name: str) -> None:
    sql = (QUERIES / f"{name}.sql").read_text(encoding="utf-8")
    marks = max((int(mark) for mark in re.findall(r"\$(\d+)", sql)), default=0)
    start, end = NOW - timedelta(days=9), NOW + timedelta(days=9)
    asked: dict[str, list[list[Any]]] = {
        "cohorts": [[start, start, start, end, workflow, None, 3600, None, None] for workflow in (None, "theirs")],
        "policy": [[start, start, start, end, workflow, None, 3600, None, None] for workflow in (None, "theirs")],
        "reuse": [[start, start, start, end, None]],
        "incidents": [[start, None], [start, "theirs"]],
        "signals": [[["ours", "theirs"]]],
        "judgements": [[["ours", "theirs"]]],
        "changes": [["theirs", 9]],
        "streamed": [[start]],
        "run_values": [["theirs", start, end, 600, "steps_per_run"]],
        "tool_values": [["theirs", start, end, 600, "theirs"]],
        "policy_values": [["theirs", start, end, 600, "denied"]],
    }
    tried = [params for params in asked.get(name, []) if len(params) == marks] or [[None] * marks]
    for params in tried:
        told = repr(scoped.rows(name, params).rows())
        assert "theirs" not in told or name in OF_SHARED
    if name in {"incidents", "signals", "judgements", "cohorts"}:
        whole = Reader(everything)
        assert "theirs" in repr([whole.rows(name, params).rows() for params in tried]), "else this proves nothing"


@pytest.mark.parametrize("path", [page.path for page in PAGES])
@pytest.mark.parametrize(
    "filters",
    [
        Filters(),
        Filters(incident="inc-0002"),
        Filters(period="all"),
        Filters(workflow="contract-review", before="2.4.0", after="2.4.1"),
        Filters(team="legal"),
    ],
    ids=["plain", "incident", "all", "workflow", "team"],
)
def test_no_page_tells_of_another_team(of_finance: Pages, path: str, filters: Filters) -> None:
    bar, heading, content = render(of_finance, path, filters)
    html = Writer()
    page = html.html([bar, heading, content]) + json.dumps(html.figures)
    others = [name for name, team in TEAMS.items() if team != "finance"]
    echoed = {filters.workflow, filters.team}
    assert not [name for name in others if name in page and name not in echoed]
    assert "can&#x27;t be made" not in page
    if filters == Filters() and path in {"/", "/cost", "/releases", "/drift"}:
        assert "invoice-matching" in page
    # What only its rows would say: the headline of its incident, its cost, its team's cost center.
    assert "Cost per run rose" not in page and "cc-300" not in page


def test_the_catalog_says_whose_a_workflow_is_and_runs_only_where_it_does_not(own_home: Path) -> None:
    with Warehouse.open(own_home / "warehouse") as warehouse:

        def work(connection: duckdb.DuckDBPyConnection) -> None:
            # Whoever sends traces can name any team: a few runs open nothing, and the catalog overrules all of them.
            connection.execute(
                "UPDATE runs SET team = 'finance' WHERE workflow = 'it-helpdesk' "
                "AND run_id IN (SELECT run_id FROM runs WHERE workflow = 'it-helpdesk' LIMIT 90)"
            )
            connection.execute(
                "INSERT INTO catalog_workflows (workflow, team, formerly) VALUES ('invoice-matching', 'legal', ['claims-triage'])"
            )

        warehouse.transaction(work)
    finance = Reader(own_home, Scope(frozenset({"finance"}))).extent()
    legal = Reader(own_home, Scope(frozenset({"legal"}))).extent()
    assert finance is not None and finance.workflows == ("supplier-onboarding",)
    assert legal is not None and legal.workflows == ("claims-triage", "contract-review", "invoice-matching")


def test_a_scope_follows_the_marts_and_the_catalog(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scope, "_LOOKED_SECONDS", 0.0)

    def change(sql: str) -> None:
        with Warehouse.open(own_home / "warehouse") as warehouse:
            warehouse.transaction(lambda connection: connection.execute(sql))

    def seen() -> int:
        extent = reader.extent()
        return len(extent.workflows) if extent is not None else 0

    reader = Readers(own_home).reader_for(viewer("finance"))
    first = reader.revision()
    assert seen() == 2
    assert reader.revision() == first
    change("CREATE OR REPLACE TABLE runs AS SELECT * REPLACE ('finance' AS team) FROM runs")
    second = reader.revision()
    assert second != first, "pages are made anew"
    assert seen() == len(TEAMS)
    change("INSERT INTO catalog_workflows (workflow, team) VALUES ('it-helpdesk', 'legal')")
    reader._scope._renew_at = 0.0  # type: ignore[union-attr]
    assert reader.revision() != second
    assert seen() == len(TEAMS) - 1


def test_totals_are_those_of_what_is_seen(own_home: Path) -> None:
    days = "SELECT sum(invocations)::BIGINT AS n FROM reuse_daily WHERE workflow {} '(fleet)'"
    with Warehouse.open(own_home / "warehouse") as warehouse:
        warehouse.transaction(
            lambda connection: connection.execute(
                "CREATE TABLE scorecard_daily AS SELECT DATE '2026-03-08' AS date, workflow, team, runs FROM (VALUES "
                "('(fleet)', NULL, 9), ('(team)', 'finance', 5), ('(team)', 'legal', 4), ('invoice-matching', NULL, 5), "
                "('contract-review', NULL, 4)) AS t (workflow, team, runs)"
            )
        )

    def card(*teams: str) -> list[tuple]:
        warehouse = Readers(own_home).reader_for(viewer(*teams))._open()
        return warehouse.query("SELECT workflow, team, runs FROM scorecard_daily ORDER BY ALL").rows()

    scoped, whole = Readers(own_home).reader_for(viewer("finance"))._open(), Reader(own_home)._open()
    assert scoped.query(days.format("=")).item() == scoped.query(days.format("<>")).item()
    assert 0 < scoped.query(days.format("=")).item() < whole.query(days.format("=")).item()
    assert card("finance") == [("(fleet)", None, 5), ("(team)", "finance", 5), ("invoice-matching", None, 5)]
    assert ("(fleet)", None, 9) not in card("finance", "legal") and len(card("finance", "legal")) == 4


def test_one_reader_serves_everybody_of_the_same_teams(home: Path) -> None:
    readers = Readers(home)
    assert readers.reader_for(viewer("a", "b")) is readers.reader_for(viewer("b", "a"))
    assert readers.reader_for(viewer("a")) is not readers.reader_for(LOCAL)
    assert readers.reader_for() is readers.reader_for(LOCAL)


def test_many_scopes_do_not_pile_up(home: Path) -> None:
    readers = Readers(home)
    first = readers.reader_for(viewer("team 0"))
    for number in range(1, 9):
        readers.reader_for(viewer(f"team {number}"))
    assert readers.reader_for(viewer("team 0")) is not first


def test_no_run_of_another_team_is_told(everything: Path, scoped: Reader) -> None:
    if not hasattr(Reader, "audited"):
        pytest.skip("this version tells no single run")
    assert Reader(everything).audited("theirs") is not None  # type: ignore[attr-defined]
    assert scoped.audited("theirs") is None  # type: ignore[attr-defined]
    assert "theirs" not in repr(scoped.audited("ours"))  # type: ignore[attr-defined]


def test_no_file_tells_of_another_team(of_finance: Pages) -> None:
    files = {name: rows for page in PAGES for name, rows in getattr(page, "files", {}).items()}
    if not files:
        pytest.skip("no page of this version has files")
    reader = of_finance.reader
    view = reader.view(Filters(period="all"))
    assert view is not None
    others = [name for name, team in TEAMS.items() if team != "finance"]
    for name, rows in files.items():
        told = rows(Asked(view, reader)).write_csv()
        assert not [other for other in others if other in told], name

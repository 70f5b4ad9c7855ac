"""Reuse, rollback readiness and runs over what the stream and the marts made, and over days, gaps and hostile names."""

from __future__ import annotations

import html
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboards.app import Pages, render
from dashboards.data import Reader
from dashboards.definitions import DEFINITIONS
from dashboards.definitions.trust import TRUST
from dashboards.export import Writer
from dashboards.filters import Filters
from dashboards.pages.run import _attributes
from dashboards.pages.runs import ROWS
from dashboards.searching import parse
from warehouse import Warehouse, read_only
from warehouse.audited import narrative

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def streamed(streamed_home: Path) -> Iterator[Reader]:
    reader = Reader(streamed_home)
    yield reader
    reader.close()


@pytest.fixture(scope="module")
def lake(streamed_home: Path) -> Iterator[Warehouse]:
    """The same home, to be asked what is right."""
    with read_only(streamed_home / "warehouse") as warehouse:
        yield warehouse


@pytest.fixture
def copy(streamed_home: Path, tmp_path: Path) -> Path:
    shutil.copytree(streamed_home / "warehouse", tmp_path / "own" / "warehouse")
    return tmp_path / "own"


def written(reader: Reader, path: str, **filters: str) -> str:
    return Writer().html(render(Pages(reader), path, Filters(period="all", **filters)))


def said(reader: Reader, path: str, **filters: str) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", written(reader, path, **filters))))


def some_run(lake: Warehouse, condition: str) -> str:
    found = lake.query(f"SELECT run_id FROM runs WHERE {condition} ORDER BY run_id LIMIT 1")
    return found.item()


def ids(page: str) -> list[str]:
    return re.findall(r'<span class="under">([0-9a-f]{32})</span>', page)


def test_every_figure_of_these_pages_has_its_question_mark(streamed: Reader, lake: Warehouse) -> None:
    run = some_run(lake, "true")
    pages = "".join(written(streamed, path) for path in ("/reuse", "/rollback", "/runs"))
    pages += written(streamed, "/runs", run=run)
    for key in TRUST:
        assert f"How {DEFINITIONS[key].name.lower()} is computed" in pages, key


@pytest.mark.parametrize(
    ("q", "condition"),
    [
        ("", "true"),
        ("outcome:failure", "outcome = 'failure'"),
        ("outcome:pending", "is_pending"),
        ("has:error", "tool_errors > 0 OR failed_model_calls > 0"),
        ("has:unpriced", "cost_usd IS NULL"),
        ("has:denied", "run_id IN (SELECT run_id FROM policy_decisions WHERE action = 'deny')"),
        ("has:gap", "run_id IN (SELECT run_id FROM audit_by_run WHERE NOT is_complete)"),
        ("has:error has:gap", "(tool_errors > 0 OR failed_model_calls > 0) "
         "AND run_id IN (SELECT run_id FROM audit_by_run WHERE NOT is_complete)"),
        ("tool:LOOKUP", "run_id IN (SELECT run_id FROM tool_calls WHERE tool_name ILIKE '%lookup%')"),
        ("model:gpt outcome:success", "outcome = 'success' AND run_id IN (SELECT run_id FROM model_calls "
         "WHERE concat(request_model, response_model) ILIKE '%gpt%')"),
    ],
)  # fmt: skip
def test_a_search_finds_what_it_says_and_its_pages_hold_each_run_once(
    streamed: Reader, lake: Warehouse, q: str, condition: str
) -> None:
    wanted = lake.query(f"SELECT run_id FROM runs WHERE ({condition}) ORDER BY started_at DESC, run_id DESC")
    found: list[str] = []
    before: str | None = None
    while True:
        page = written(streamed, "/runs", q=q, **({"before": before} if before else {}))
        found += ids(page)
        older = re.search(r"Older runs", page)
        if not older:
            break
        assert len(ids(page)) == ROWS
        last = streamed.rows(*_asked(streamed, q, before)).row(ROWS - 1, named=True)
        before = f"{last['started_at'].isoformat()}~{last['run_id']}"
    assert found == wanted["run_id"].to_list()


def _asked(reader: Reader, q: str, before: str | None) -> tuple[str, list]:
    from dashboards.searching import after

    search, view = parse(q), reader.view(Filters(period="all"))
    assert view is not None
    of = [view.window.start, view.window.end, None, None, None, None]
    words = [search.id, search.outcome, search.model, search.tool, search.agent]
    part = [*after(before), ROWS]
    if search.has:
        return "runs_marked", [*of, *words, *part, list(search.has)]
    return ("runs_found", [*of, *words, *part]) if any(words) else ("runs_newest", [*of, *part])


def test_the_beginning_of_an_id_finds_its_run_and_a_session_its_runs(streamed: Reader, lake: Warehouse) -> None:
    run = some_run(lake, "session_id IS NOT NULL")
    assert ids(written(streamed, "/runs", q=run[:12])) == [run]
    session = lake.query("SELECT session_id FROM runs WHERE run_id = ?", [run]).item()
    assert run in ids(written(streamed, "/runs", q=session))


def test_a_search_that_finds_nothing_says_how_to_go_on(streamed: Reader) -> None:
    page = said(streamed, "/runs", q="ffffffffffffffff")
    assert "No run matches" in page and "Take the search out" in page
    assert "Not understood: colour:red" not in page
    assert "Not understood: has:colour" in said(streamed, "/runs", q="has:colour")


def test_an_opened_run_tells_what_the_command_tells_with_tree_and_cost(streamed: Reader, lake: Warehouse) -> None:
    run = some_run(lake, "tool_calls > 0 AND cost_usd IS NOT NULL AND outcome IS NOT NULL")
    page = said(streamed, "/runs", run=run)
    story = narrative(lake, run)
    assert story is not None
    for event in story.events:
        assert str(event["what"]) in page
    spans = streamed.rows("run_spans", [run, 5000])
    stored = lake.query("SELECT count(*) FROM spans WHERE run_id = ?", [run]).item()
    assert spans.height == stored and f"{stored} spans in" in page
    calls = spans.filter(spans["kind"] == "model")
    assert calls["cost_usd"].sum() == pytest.approx(story.run["model_cost_usd"])
    assert run in page and f"plumbline audit {run}" in page


def test_a_run_that_is_not_there_is_said_with_what_to_do(streamed: Reader) -> None:
    page = said(streamed, "/runs", run="no-such-run")
    assert "No run no-such-run" in page and "plumbline refresh" in page


def test_attributes_of_a_span_are_text() -> None:
    out = Writer().html(_attributes('{"a": {"b": "<script>x</script>"}, "c": [1, 2]}'))
    assert "a.b" in out and "&lt;script&gt;" in out and "[1, 2]" in out and "<script" not in out
    assert _attributes(None) is None and _attributes("{}") is None
    assert "not json" in Writer().html(_attributes("<b>not json"))


def test_reuse_says_who_uses_what_and_agrees_with_the_mart(streamed: Reader, lake: Warehouse) -> None:
    page = said(streamed, "/reuse")
    rows = lake.query("SELECT name, sum(invocations)::BIGINT AS n FROM component_uses_daily GROUP BY name")
    for name, n in rows.iter_rows():
        assert name in page and f"{n:,}" in page


def test_the_map_counts_as_the_mart_counts(streamed: Reader, lake: Warehouse) -> None:
    view = streamed.view(Filters(period="all"))
    assert view is not None
    uses = streamed.rows("component_uses", [view.window.start, view.window.end, None])
    certified_shared = uses.filter(uses["is_certified"] & (uses["workflows"] > 1))["invocations"].sum()
    mart = lake.query(
        "SELECT sum(invocations)::BIGINT, sum(certified_shared_invocations)::BIGINT FROM reuse_daily WHERE "
        "workflow = '(fleet)'"
    ).row(0)
    assert uses["invocations"].sum() == mart[0]
    # The mart counts a component as shared from the day of its second workflow on.
    assert certified_shared >= mart[1]


def test_rollback_names_the_weakest_link_and_the_cheapest_step(streamed: Reader, lake: Warehouse) -> None:
    page = said(streamed, "/rollback")
    rows = lake.query("SELECT workflow, detail, to_do FROM rollback_readiness").to_dicts()
    for row in rows:
        assert row["workflow"] in page and row["detail"] in page
        assert row["to_do"] is None or row["to_do"] in page


def test_readiness_of_several_days_is_a_trend_and_of_one_is_said(copy: Path) -> None:
    def shown(statement: str) -> tuple[str, list[str]]:
        with Warehouse.open(copy / "warehouse") as warehouse:
            warehouse.transaction(lambda connection: connection.execute(statement))
        reader = Reader(copy)
        try:
            writer = Writer()
            return writer.html(render(Pages(reader), "/rollback", Filters(period="all"))), writer.figures
        finally:
            reader.close()

    page, figures = shown(
        "INSERT INTO rollback_readiness_daily BY NAME SELECT * REPLACE (date - 1 AS date, 0.125 AS score) "
        "FROM rollback_readiness_daily WHERE date = (SELECT max(date) FROM rollback_readiness_daily)"
    )
    assert "on record for one day" not in page and len(figures) == 1 and "0.125" in figures[0]
    assert "0.12<" not in page, "the table shows the last day"
    page, figures = shown(
        "DELETE FROM rollback_readiness_daily WHERE date < (SELECT max(date) FROM rollback_readiness_daily)"
    )
    assert "Readiness is on record for one day" in page and not figures


def test_names_of_a_trace_stay_text_on_these_pages(copy: Path) -> None:
    with Warehouse.open(copy / "warehouse") as warehouse:

        def rename(connection) -> None:
            for table, columns in {
                "runs": ("workflow", "release", "agent"),
                "component_uses_daily": ("name",),
                "clone_candidates": ("tool_name",),
                "tool_calls": ("tool_name",),
                "spans": ("name", "tool_name", "error_type"),
                "rollback_readiness": ("workflow", "detail", "to_do", "known_good_release"),
            }.items():
                for column in columns:
                    connection.execute(f"UPDATE {table} SET {column} = ?", [HOSTILE])

        warehouse.transaction(rename)
    with read_only(copy / "warehouse") as renamed:
        run = some_run(renamed, "true")
    reader = Reader(copy)
    try:
        for path, filters in (
            ("/reuse", {}),
            ("/rollback", {}),
            ("/runs", {}),
            ("/runs", {"run": run}),
            ("/runs", {"q": HOSTILE}),
        ):
            writer = Writer()
            page = writer.html(render(Pages(reader), path, Filters(period="all", **filters))) + "".join(writer.figures)
            assert "&lt;img src=x" in page and "<img src=x" not in page, path
    finally:
        reader.close()


def test_a_home_of_an_earlier_version_says_to_refresh(reader: Reader) -> None:
    for path in ("/reuse", "/runs"):
        assert "plumbline refresh" in said(reader, path)
    assert "it-helpdesk" in said(reader, "/rollback")

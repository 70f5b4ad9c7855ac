"""Tool calls: each once, whether it has a span or is seen only in a model's output; and what packages leave out of a run."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import polars as pl
import pytest

from tests.warehouse.fleet import NOW, SCHEMA, Fleet, model_call, tool_call
from warehouse import Warehouse, marts


def requested(fleet: Fleet, run_id: str, *calls: tuple[str, str | None]) -> None:
    """Tool calls that the run's first model call asked for: name and id."""
    for position, (tool, call_id) in enumerate(calls):
        fleet.add(
            "tool_requests",
            trace_id=run_id,
            span_id=f"{run_id}-1",
            run_id=run_id,
            workflow="w",
            position=position,
            tool_name=tool,
            tool_call_id=call_id,
            at=NOW + timedelta(seconds=1),
        )


def called(warehouse: Warehouse, run_id: str) -> list[tuple[str, str]]:
    marts.put_live_views(warehouse)
    sql = "SELECT tool_name, observed_in FROM stg_tool_calls WHERE run_id = ? ORDER BY observed_in, tool_name"
    return warehouse.query(sql, [run_id]).rows()


@pytest.mark.parametrize(
    ("spans", "requests", "expected"),
    [
        ([], [("refund", "c1")], [("refund", "model output")]),
        # A span with the id of the request is the same call.
        ([("refund", "c1")], [("refund", "c1")], [("refund", "tool span")]),
        # Without an id, spans of that tool answer the requests one by one.
        ([("refund", None)], [("refund", "c1")], [("refund", "tool span")]),
        (
            [("refund", None)],
            [("refund", "c1"), ("refund", "c2")],
            [("refund", "model output"), ("refund", "tool span")],
        ),
        # A span that another request claims by its id is not told off a second time.
        (
            [("refund", "c1")],
            [("refund", "c1"), ("refund", "c2")],
            [("refund", "model output"), ("refund", "tool span")],
        ),
        ([("refund", "c1")], [("check", "c2")], [("check", "model output"), ("refund", "tool span")]),
        # Two packages that write down one call, by its id.
        ([], [("refund", "c1"), ("refund", "c1")], [("refund", "model output")]),
        ([], [("refund", None), ("refund", None)], [("refund", "model output"), ("refund", "model output")]),
    ],
)
def test_a_tool_call_counts_once(
    spans: list[tuple[str, str | None]],
    requests: list[tuple[str, str | None]],
    expected: list[tuple[str, str]],
    empty: Warehouse,
) -> None:
    fleet = Fleet()
    fleet.run("r", "w", model_call(), *(tool_call(tool, tool_call_id=call_id) for tool, call_id in spans))
    requested(fleet, "r", *requests)
    fleet.store(empty)
    assert called(empty, "r") == expected
    for name in ("event_clock", "runs", "tool_calls"):
        marts.build(empty, name)
    seen = empty.query("SELECT tool_name, observed_in FROM tool_calls ORDER BY observed_in, tool_name").rows()
    run = empty.query("SELECT tool_calls, requested_tool_calls, quality_flags FROM runs").row(0)
    only_asked = sum(where == "model output" for _, where in expected)
    assert seen == expected
    assert run == (len(expected), only_asked, ["tool_spans_not_reported"] if only_asked else [])


def test_a_requested_call_costs_what_the_catalog_says(empty: Warehouse) -> None:
    fleet = Fleet()
    fleet.run("r", "w", model_call(), tool_call("refund"))
    requested(fleet, "r", ("refund", "call-refund"), ("check", "c2"))
    for tool, cost in (("refund", 0.5), ("check", 0.25)):
        fleet.add("catalog_tools", tool_name=tool, cost_per_call_usd=cost)
    fleet.store(empty)
    for name in ("event_clock", "runs"):
        marts.build(empty, name)
    assert empty.query("SELECT tool_cost_usd FROM runs").item() == 0.75


GAPS = ["cached_tokens_not_reported", "errors_not_reported", "failed_calls_not_reported", "response_model_not_reported"]


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (model_call(), GAPS),
        (model_call(cached_input_tokens=0), GAPS[1:]),
        (model_call(response_model="m-1"), GAPS[:3]),
        (model_call(status="error", tokens=None), [GAPS[1]]),
        (model_call(tokens=None), [GAPS[1], GAPS[2], "usage_not_reported"]),
        (tool_call("refund"), []),
    ],
)
def test_a_run_says_what_its_packages_did_not_report_unless_it_shows_otherwise(
    call: dict[str, Any], expected: list[str], empty: Warehouse
) -> None:
    fleet = Fleet()
    fleet.run("r", "w", call)
    frame = pl.DataFrame(fleet.rows.pop("spans"), schema=SCHEMA).with_columns(package_gaps=pl.lit(GAPS))
    empty.transaction(lambda connection: empty.insert(connection, "spans", frame))
    for name in ("event_clock", "runs"):
        marts.build(empty, name)
    assert empty.query("SELECT quality_flags FROM runs").item().to_list() == expected


def test_the_live_views_answer_before_the_first_refresh(empty: Warehouse) -> None:
    marts.put_live_views(empty)
    assert empty.query("SELECT * FROM usage_by_source_file").is_empty()
    fleet = Fleet()
    fleet.run("r", "w", model_call())
    frame = pl.DataFrame(fleet.rows.pop("spans"), schema=SCHEMA).with_columns(source_file=pl.lit("a.json"))
    empty.transaction(lambda connection: empty.insert(connection, "spans", frame))
    assert empty.query("SELECT source_file, spans, input_tokens FROM usage_by_source_file").rows() == [
        ("a.json", 2, 100)
    ]


def test_views_of_a_model_that_is_gone_are_dropped_and_those_of_others_stay(empty: Warehouse) -> None:
    def views() -> set[str]:
        listed = "SELECT view_name FROM duckdb_views() WHERE database_name = 'lake'"
        return {name for (name,) in empty.query(listed).rows()}

    marts.put_live_views(empty)
    ours = views()
    for name, comment in [
        ("stg_component_uses", "'Uses of components. [model 0123456789ab]'"),
        ('stg_"odd"', "'Odd. [model 0123456789ab]'"),
        ("our_report", "'A report on [model gpt-4.1]'"),
        ("plain", "NULL"),
    ]:
        quoted = name.replace('"', '""')
        empty.connection.execute(f'CREATE VIEW lake.main."{quoted}" AS SELECT 1 AS one')
        empty.connection.execute(f'COMMENT ON VIEW lake.main."{quoted}" IS {comment}')
    marts.put_live_views(empty)
    assert views() == ours | {"our_report", "plain"}


def test_a_call_says_whether_its_run_undid_it_or_it_undoes_another_runs(empty: Warehouse) -> None:
    it = Fleet()

    def call(tool: str, call_id: str | None = None, compensates: str | None = None) -> dict[str, Any]:
        return {**tool_call(tool, compensates=compensates), "tool_call_id": call_id}

    it.run("one", "w", model_call(0.1), call("book", "c1"), call("cancel", "c2", "c1"), call("keep", "c3"))
    it.run("two", "w", model_call(0.1), call("cancel", "c4", "c3"), call("book", "c5"))
    it.run("three", "w", model_call(0.1), call("cancel", None, "c6"))
    requested(it, "three", ("book", "c6"))
    it.store(empty)
    for name in ("event_clock", "runs", "tool_calls"):
        marts.build(empty, name)
    said = empty.query(
        "SELECT run_id, coalesce(tool_call_id, tool_name) AS call, is_undone, undoes_elsewhere FROM tool_calls ORDER BY ALL"
    )
    assert said.rows() == [
        ("one", "c1", True, False),
        ("one", "c2", False, False),
        ("one", "c3", False, False),
        ("three", "c6", True, False),
        ("three", "cancel", False, False),
        ("two", "c4", False, True),
        ("two", "c5", False, False),
    ]

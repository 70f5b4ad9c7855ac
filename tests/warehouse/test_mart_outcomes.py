"""Rows in, rows out: what closes a run, and which statements count for it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.warehouse.fleet import NOW, Fleet, model_call
from warehouse import Warehouse, marts

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Iterator[Warehouse]:
    path = Path(shutil.copytree(template, tmp_path_factory.mktemp("outcomes") / "warehouse"))
    with Warehouse.open(path) as warehouse:
        it = Fleet()
        stated(it)
        closing(it)
        it.store(warehouse)
        for name in ("event_clock", "runs", "unmatched_outcomes"):
            marts.build(warehouse, name)
        yield warehouse


def run(warehouse: Warehouse, run_id: str) -> dict[str, Any]:
    return warehouse.query("SELECT * FROM runs WHERE run_id = ?", [run_id]).row(0, named=True)


def stated(it: Fleet) -> None:
    it.add("catalog_workflows", workflow="judging", outcome_name="settled")
    it.outcome(run_id="never-came", status="success", at=NOW, source="topic")
    it.run("settled", "judging")
    it.outcome(run_id="settled", status="failure", at=NOW, source="topic")
    it.outcome(run_id="settled", status="success", at=NOW + DAY, source="topic", name="friendly")
    judged = [("by-span-0", "root", None), ("by-span-1", "by-span-1-1", None), ("by-answer", None, "by-answer-2")]
    for run_id, span_id, response_id in judged:
        calls = [model_call(attributes=f'{{"gen_ai.response.id":"{run_id}-{number}"}}') for number in (1, 2)]
        it.run(run_id, "answers" if response_id else "judged-later", *calls)
        place = {
            "evaluated_span_id": span_id and span_id.replace("root", f"{run_id}-0"),
            "trace_id": span_id and run_id,
        }
        it.outcome(status="success", at=NOW + DAY, source="evaluation", response_id=response_id, **place)
    it.outcome(status="failure", at=NOW + 2 * DAY, source="evaluation", response_id="by-answer-1")


def closing(it: Fleet) -> None:
    it.run("closed-by-root", "closing", at=NOW - 5 * HOUR)
    it.run("no-root", "closing", at=NOW - 5 * HOUR, parent_span_id="elsewhere")
    it.run("no-root-yet", "closing", at=NOW - timedelta(minutes=10), parent_span_id="elsewhere")


def test_a_run_is_closed_by_its_root_or_by_the_timeout(built: Warehouse) -> None:
    found = {name: run(built, name)["closed_by"] for name in ("closed-by-root", "no-root", "no-root-yet")}
    assert found == {"closed-by-root": "root", "no-root": "timeout", "no-root-yet": None}


def test_an_evaluation_in_a_span_of_its_own_speaks_of_the_run_that_it_evaluates(built: Warehouse) -> None:
    found = {name: run(built, name)["outcome"] for name in ("by-span-0", "by-span-1", "by-answer")}
    assert found == {"by-span-0": "success", "by-span-1": None, "by-answer": "success"}, "roots and last answers alone"


def test_only_the_catalog_s_outcome_counts_and_what_does_not_is_listed(built: Warehouse) -> None:
    assert run(built, "settled")["outcome"] == "failure"
    rows = built.query("SELECT reason, coalesce(run_id, response_id) AS of, name FROM unmatched_outcomes ORDER BY ALL")
    assert rows.rows() == [
        ("no run", "by-answer-1", None),
        ("no run", "never-came", None),
        ("other name", "settled", "friendly"),
    ]

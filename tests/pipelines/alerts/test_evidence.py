"""Signals of real traffic explain themselves from the warehouse's own rows, the same way whatever was stored since."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from detectors import SIGNAL_SCHEMA
from pipelines.alerts.evidence import MOST_RUNS, explained
from pipelines.commands.context import open_warehouse
from pipelines.notifications.notifier import Notifier
from pipelines.settings import Settings
from pipelines.simulate import simulate
from pipelines.sources.files import FileSource
from pipelines.stages.observe import PER_SUCCESS
from pipelines.stages.rules import Declared
from pipelines.stream import Stream
from tests.pipelines.otlp import START_NS, as_json, request, span
from warehouse import Warehouse

CATALOG = Path(__file__).parents[3] / "catalog.example.yaml"
#: What a run measured, in the terms of the marts' sources: the runs a signal names are checked against these.
TOLD = {
    "tool_error": "SELECT run_id, tool_name AS dimension, 1.0 AS value FROM spans WHERE kind = 'tool' AND status = 'error'",
    "argument_shape": "SELECT run_id, tool_name AS dimension, 1.0 AS value FROM spans WHERE kind = 'tool'",
    "steps_per_run": "SELECT run_id, '' AS dimension, count(*)::DOUBLE AS value FROM spans "
    "WHERE kind IN ('model', 'tool', 'retrieval') GROUP BY run_id",
    "cost_usd_per_run": "SELECT run_id, '' AS dimension, sum(cost_usd) AS value FROM spans GROUP BY run_id",
}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    folder = tmp_path_factory.mktemp("explained")
    simulate(folder / "traffic", seed=7, days=3, rate=15)
    settings = Settings(home=folder / "home", catalog=CATALOG)
    source = FileSource([str(path) for path in sorted((folder / "traffic").glob("*.binpb"))])
    with open_warehouse(settings) as warehouse:
        Stream(settings, source, warehouse, Notifier(settings, warehouse), lambda _: None).run(until_end=True)
        yield warehouse


def catalog(warehouse: Warehouse) -> tuple[pl.DataFrame, Declared]:
    """What the detection of this home knew of the catalog."""
    workflows, tools = (warehouse.query(f"SELECT * FROM catalog_{name}") for name in ("workflows", "tools"))
    return warehouse.query("SELECT policy, version, effective_at FROM catalog_policies"), Declared.of(workflows, tools)


def signals(warehouse: Warehouse) -> list[dict[str, Any]]:
    rows = warehouse.query('SELECT * FROM signals ORDER BY "at", signal_id').to_dicts()
    assert len(rows) >= 5
    return rows


def test_every_signal_carries_a_test_that_fits_its_kind_and_an_interval_around_its_effect(told: Warehouse) -> None:
    fitting = {
        "continuous": {("Brunner-Munzel", "cliffs_delta"), ("Mann-Whitney", "cliffs_delta")},
        "rate": {("Fisher", "risk_difference")},
        "mix": {("permuted chi-square", "total_variation")},
    }
    kinds = set()
    for row in signals(told):
        if row["kind"] == "rule" or row["metric"] == PER_SUCCESS:
            assert row["evidence_test"] is None
            continue
        kinds.add(row["kind"])
        assert (row["evidence_test"], row["evidence_measure"]) in fitting[row["kind"]]
        assert row["evidence_low"] <= row["evidence_effect"] <= row["evidence_high"]
        assert row["evidence_p_value"] < 0.01, "the drifts injected here are large"
        assert row["evidence_runs_before"] >= 100 and row["evidence_runs_after"] >= 5
        if row["kind"] != "mix":
            assert (row["evidence_effect"] > 0) == (row["effect"] > 0)
    assert kinds == set(fitting)


def test_the_test_sees_the_observations_that_the_detector_saw(told: Warehouse) -> None:
    rates = [row for row in signals(told) if row["kind"] == "rate"]
    assert rates
    for row in rates:
        # The detector's own counts since its onset leave out the one run on which the sum began.
        assert abs(row["evidence_runs_after"] - row["n_after"]) <= 1
        assert row["evidence_effect"] == pytest.approx(row["effect"], abs=0.06)


def test_the_runs_named_show_the_change(told: Warehouse) -> None:
    checked = set()
    for row in signals(told):
        assert 1 <= len(row["run_ids"]) <= MOST_RUNS and len(set(row["run_ids"])) == len(row["run_ids"])
        since = told.query(
            "SELECT DISTINCT run_id FROM spans WHERE workflow = ? AND parent_span_id IS NULL AND ended_at BETWEEN ? AND ?",
            [row["workflow"], row["onset_at"], row["at"]],
        )["run_id"]
        assert set(row["run_ids"]) <= set(since)
        if row["metric"] not in TOLD:
            continue
        checked.add(row["metric"])
        values = told.query(TOLD[row["metric"]]).filter(
            pl.col("dimension") == row["dimension"], pl.col("run_id").is_in(since.to_list())
        )
        shown = values.filter(pl.col("run_id").is_in(row["run_ids"]))
        assert shown["run_id"].n_unique() == len(row["run_ids"])
        if row["kind"] == "continuous":
            top = values["value"].top_k(len(row["run_ids"]))
            assert shown["value"].sort().to_list() == pytest.approx(top.sort().to_list()), "the most extreme ones"
    assert {"tool_error", "cost_usd_per_run"} <= checked


def test_causes_are_ranked_and_the_first_is_the_one_that_is_said(told: Warehouse) -> None:
    named = 0
    for row in signals(told):
        causes = json.loads(row["causes"])
        for cause in causes:
            assert cause.keys() == {"attribute", "before", "after", "changed_at", "separates", "score"}
            assert 0 < cause["score"] <= cause["separates"] <= 1
        if row["cause"] is not None:
            named += 1
            assert (
                row["cause"].startswith(causes[0]["attribute"].replace("_", " ")) and causes[0]["after"] in row["cause"]
            )
    assert named >= 3


def test_containment_keeps_to_the_catalog_and_rolls_back_to_what_ran(told: Warehouse) -> None:
    allowed = dict(told.query("SELECT workflow, containment FROM catalog_workflows").iter_rows())
    assert allowed["refund-desk"] == ["roll_back", "route_to_person", "disable_tool"]
    rolled = 0
    for row in signals(told):
        offers = json.loads(row["actions"])
        assert offers[0]["text"] == row["containment"]
        if allowed[row["workflow"]] is not None:
            assert {offer["action"] for offer in offers} <= set(allowed[row["workflow"]])
        for offer in offers:
            if offer["action"] == "roll_back":
                rolled += 1
                ran = told.query(
                    "SELECT count(*) AS n FROM spans WHERE workflow = ? AND parent_span_id IS NULL AND release = ? "
                    "AND ended_at < ?",
                    [row["workflow"], offer["target"], row["onset_at"]],
                )
                assert ran["n"].item() >= 30
    assert rolled >= 3


def test_explaining_again_with_more_stored_since_says_the_same(told: Warehouse) -> None:
    rows = told.query('SELECT * FROM signals ORDER BY "at", signal_id').to_dicts()
    frame = pl.DataFrame([{name: row.get(name) for name in SIGNAL_SCHEMA} for row in rows], schema=dict(SIGNAL_SCHEMA))
    again = explained(frame, told, timedelta(hours=1), *catalog(told))
    alone = [explained(frame[i], told, timedelta(hours=1), *catalog(told))[0] for i in range(3)]
    assert alone == again[:3], "it does not depend on the signals that came with it"
    names = [name for name in rows[0] if name.startswith("evidence_")] + ["run_ids", "causes", "cause", "actions"]
    for row, new in zip(rows, again, strict=True):
        assert {name: new.get(name) for name in names} == {name: row[name] for name in names}


BROKE = {
    "approval_skipped": "SELECT run_id FROM approvals WHERE status = 'bypassed' AND tool_name = ?",
    "unknown_policy_version": "SELECT run_id FROM policy_decisions WHERE policy || ' ' || policy_version = ?",
}


def test_a_rule_s_signal_names_the_run_that_broke_it_at_once_and_has_no_test(told: Warehouse) -> None:
    rules = [row for row in signals(told) if row["kind"] == "rule"]
    assert {row["metric"] for row in rules} >= set(BROKE)
    for row in rules:
        assert row["log_e"] is None and row["evidence_test"] is None and row["onset_at"] == row["at"]
        assert row["headline"] and row["containment"]
        if row["metric"] not in BROKE:
            continue
        broke = set(told.query(BROKE[row["metric"]], [row["dimension"]])["run_id"])
        ended = told.query(
            "SELECT run_id FROM spans WHERE parent_span_id IS NULL AND workflow = ? AND ended_at <= ?",
            [row["workflow"], row["at"]],
        )["run_id"]
        assert set(row["run_ids"]) == broke & set(ended), "the first run that did so, and no other before it"
        assert len(row["run_ids"]) == 1
    [draft] = [row for row in rules if row["metric"] == "unknown_policy_version"]
    # The policy's new version came with a release that hardly any run had had.
    assert draft["cause"].startswith("release ") and draft["cause"].endswith("% of the runs before)")


def test_of_one_run_only_what_is_new_can_be_the_cause(told: Warehouse) -> None:
    """A run long after every release broke a rule: what it shares with the runs before explains nothing."""
    row = next(row for row in signals(told) if row["kind"] == "rule")
    last = told.query(
        "SELECT max(ended_at) AS at FROM spans WHERE parent_span_id IS NULL AND workflow = ?", [row["workflow"]]
    )
    late = {**{name: row[name] for name in SIGNAL_SCHEMA}, "at": last["at"].item(), "onset_at": last["at"].item()}
    [found] = explained(pl.DataFrame([late], schema=dict(SIGNAL_SCHEMA)), told, timedelta(hours=1), *catalog(told))
    assert found["cause"] is None and json.loads(found["causes"]) == []
    assert len(found["run_ids"]) == 1


def test_a_spike_names_its_own_run_and_claims_no_test(tmp_path: Path) -> None:
    hour = 3_600_000_000_000
    lines = []
    for number in range(700):
        tokens = 900_000 if number == 650 else 800 + 37 * (number % 11)
        times: dict[str, Any] = {
            "start_ns": START_NS + number * hour // 6,
            "end_ns": START_NS + number * hour // 6 + 10**9,
        }
        call = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": tokens, "gen_ai.usage.output_tokens": 9}
        root = {"gen_ai.operation.name": "invoke_agent", "gen_ai.workflow.name": "desk"}
        trace = f"{number:032x}".replace("0" * 31, "f" * 31)
        lines.append(
            as_json(
                request(
                    span(root, trace_id=trace, span_id="1" * 16, parent="", **times),
                    span(call, trace_id=trace, span_id="2" * 16, parent="1" * 16, **times),
                )
            )
        )
    (tmp_path / "traffic.jsonl").write_bytes(b"\n".join(lines))
    settings = Settings(home=tmp_path / "home")
    source = FileSource([str(tmp_path / "traffic.jsonl")])
    with open_warehouse(settings) as warehouse:
        Stream(settings, source, warehouse, Notifier(settings, warehouse), lambda _: None).run(until_end=True)
        rows = warehouse.query("SELECT * FROM signals ORDER BY metric").to_dicts()
        incidents = warehouse.query("SELECT headline FROM incidents")["headline"].to_list()
    assert [row["metric"] for row in rows] == ["context_tokens", "input_tokens_per_call", "tokens_per_call"]
    for row in rows:
        assert (row["kind"], row["run_ids"], row["evidence_test"]) == ("spike", [f"{650:032x}"], None)
        assert row["onset_at"] == row["at"] and row["onset_low_at"] is None
    assert len(incidents) == 1 and incidents[0].startswith("spike of ") and "usually" in incidents[0]

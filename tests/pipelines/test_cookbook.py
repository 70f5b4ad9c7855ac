"""The cookbook's answers, each against the same figure worked out another way, on a simulated fleet that went the whole road."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest

from pipelines.cli import main
from warehouse import Reader, Warehouse, marts

COOKBOOK = Path(__file__).parents[2] / "docs" / "cookbook.md"
CATALOG = COOKBOOK.parents[1] / "catalog.example.yaml"
QUESTIONS = {
    int(section.partition(".")[0]): section.partition("```sql\n")[2].partition("```")[0]
    for section in COOKBOOK.read_text("utf-8").split("\n### ")[1:]
}


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    place = tmp_path_factory.mktemp("cookbook")
    home, traffic = place / "home", place / "traffic"
    simulation = ["simulate", "--out", str(traffic), "--days", "2", "--rate", "4", "--drift", "policy"]
    assert main(["--home", str(home), *simulation]) == 0
    files = ["stream", "--source", "files", "--files", str(traffic / "*.binpb"), "--until-end"]
    assert main(["--home", str(home), *files, "--catalog", str(CATALOG)]) == 0
    with Warehouse.open(home / "warehouse") as warehouse:
        for name in marts.names():
            marts.build(warehouse, name)
    with Reader(home / "warehouse") as opened:
        yield opened


@pytest.fixture
def ask(reader: Reader) -> Callable[[int], pl.DataFrame]:
    def asked(number: int) -> pl.DataFrame:
        answer = reader.select(QUESTIONS[number])
        assert answer.height > 0
        return answer

    return asked


@pytest.fixture
def runs(reader: Reader) -> pl.DataFrame:
    return reader.select("FROM runs")


@pytest.fixture
def spans(reader: Reader) -> pl.DataFrame:
    return reader.select("FROM spans")


def test_there_are_twenty_and_each_has_its_test() -> None:
    assert list(QUESTIONS) == list(range(1, 21))
    tested = {int(number) for number in re.findall(r"(?m)^def test_(\d+)_", Path(__file__).read_text("utf-8"))}
    assert tested == set(QUESTIONS)


def test_01_cost_per_success(ask: Callable[[int], pl.DataFrame], runs: pl.DataFrame) -> None:
    settled = runs.filter(~pl.col("is_pending"), pl.col("cost_usd").is_not_null())
    expected = settled.group_by("workflow").agg(each=pl.col("cost_usd").sum() / (pl.col("outcome") == "success").sum())
    joined = ask(1).join(expected, on="workflow", validate="1:1")
    assert joined.height == 6
    assert joined["cost_per_success_usd"].to_list() == pytest.approx(joined["each"].to_list())


def test_02_cost_of_a_day(ask: Callable[[int], pl.DataFrame], runs: pl.DataFrame) -> None:
    settled = runs.filter(~pl.col("is_pending"))
    expected = settled.group_by(pl.col("started_at").dt.date()).agg(pl.col("cost_usd").sum()).sort("started_at")
    answer = ask(2)
    assert answer["cost_usd"].to_list() == pytest.approx(expected["cost_usd"].to_list())
    assert answer["change_usd"].to_list()[1] == pytest.approx(expected["cost_usd"][1] - expected["cost_usd"][0])


def test_03_who_pays(ask: Callable[[int], pl.DataFrame], runs: pl.DataFrame) -> None:
    answer = ask(3)
    assert answer["runs"].sum() == runs.height
    assert answer["cost_usd"].sum() == pytest.approx(runs["cost_usd"].sum())
    assert answer.filter(pl.col("priced_ratio") < 1)["team"].to_list() == ["finance-automation"]


def test_04_models(ask: Callable[[int], pl.DataFrame], spans: pl.DataFrame) -> None:
    calls = spans.filter(pl.col("kind") == "model")
    answer = ask(4)
    assert answer["calls"].sum() == calls.height
    assert answer["cost_usd"].sum() == pytest.approx(calls["cost_usd"].sum())
    assert answer.filter(pl.col("cost_usd").is_null())["model"].to_list() == ["invoice-extractor-8b"]
    assert answer["usd_per_mtok"].drop_nulls().is_between(0.01, 100).all()


def test_05_spent_in_vain(ask: Callable[[int], pl.DataFrame], runs: pl.DataFrame) -> None:
    failed = runs.filter(~pl.col("is_pending"), pl.col("outcome") != "success")
    answer = ask(5)
    assert answer["failed_usd"].sum() == pytest.approx(failed["cost_usd"].sum())
    assert answer["failed_ratio"].is_between(0, 1).all()


def test_06_repeated(ask: Callable[[int], pl.DataFrame], reader: Reader) -> None:
    answer = ask(6)
    whole = reader.select(
        "SELECT sum(retry_cost_usd) FROM cost_by_day WHERE \"by\" = 'all' AND workflow <> '(fleet)'"
    ).item()
    assert answer["retry_cost_usd"].sum() == pytest.approx(whole)
    assert answer["runs"].sum() > 5


def test_07_far_from_usual(ask: Callable[[int], pl.DataFrame], runs: pl.DataFrame) -> None:
    medians = runs.group_by("workflow").agg(pl.col("cost_usd").median())
    joined = ask(7).join(medians, on="workflow", suffix="_median")
    assert (joined["cost_usd"] > 3 * joined["cost_usd_median"]).all()
    assert joined["times_the_median"].is_sorted(descending=True)


def test_08_cached(ask: Callable[[int], pl.DataFrame], spans: pl.DataFrame) -> None:
    calls = spans.filter(pl.col("kind") == "model", pl.col("workflow") == "refund-desk")
    expected = calls.select(pl.col("cached_input_tokens").sum() / pl.col("input_tokens").sum()).item()
    answer = ask(8)
    assert answer.filter(pl.col("workflow") == "refund-desk")["cached_ratio"].item() == pytest.approx(expected)


def test_09_budget(ask: Callable[[int], pl.DataFrame], runs: pl.DataFrame) -> None:
    answer = ask(9).filter(pl.col("workflow") == "refund-desk").row(0, named=True)
    spent = runs.filter(pl.col("workflow") == "refund-desk")["cost_usd"].sum()
    assert answer["budget_usd"] == 3600
    assert answer["used_ratio"] == pytest.approx(spent / 3600)


def test_10_failing_tools(ask: Callable[[int], pl.DataFrame], spans: pl.DataFrame) -> None:
    tools = spans.filter(pl.col("kind") == "tool")
    worst = ask(10).row(0, named=True)
    mine = tools.filter(pl.col("tool_name") == worst["tool_name"])
    assert worst["calls"] == mine.height >= 20
    assert worst["error_ratio"] == pytest.approx((mine["status"] == "error").mean())
    assert worst["error_ratio"] > 0


def test_11_open_incidents(ask: Callable[[int], pl.DataFrame]) -> None:
    answer = ask(11)
    assert answer["severity"][0] == "critical"
    assert "access-requests" in answer["workflow"].to_list()
    assert (answer["example_runs"] > 0).all()


def test_12_signals(ask: Callable[[int], pl.DataFrame]) -> None:
    answer = ask(12)
    assert "unknown_policy_version" in answer["metric"].to_list()
    assert (
        (answer.filter(pl.col("metric") == "outdated_policy").select(pl.col("after_value") > pl.col("before_value")))
        .to_series()
        .all()
    )


def test_13_releases(ask: Callable[[int], pl.DataFrame], runs: pl.DataFrame) -> None:
    row = ask(13).filter(pl.col("workflow") == "access-requests").tail(1).row(0, named=True)
    mine = runs.filter(
        pl.col("release") == row["release"], pl.col("workflow") == row["workflow"], pl.col("outcome").is_not_null()
    ).filter(~pl.col("is_pending"))
    assert row["runs"] == mine.height
    assert row["success_ratio"] == pytest.approx((mine["outcome"] == "success").mean())


def test_14_hours(ask: Callable[[int], pl.DataFrame], runs: pl.DataFrame) -> None:
    answer = ask(14)
    assert answer["runs"].sum() == runs.height
    assert (answer["p50_p95_ms"].list.get(0) <= answer["p50_p95_ms"].list.get(1)).all()


def test_15_one_run(ask: Callable[[int], pl.DataFrame], runs: pl.DataFrame, spans: pl.DataFrame) -> None:
    dearest = runs.sort("cost_usd", descending=True, nulls_last=True)["run_id"][0]
    answer = ask(15)
    assert answer.height == spans.filter(pl.col("run_id") == dearest).height
    assert answer["started_at"].is_sorted()
    assert {"model", "agent"} <= set(answer["kind"])


def test_16_sources(ask: Callable[[int], pl.DataFrame], spans: pl.DataFrame) -> None:
    flags = spans.select(pl.col("quality_flags").list.len().clip(1)).sum().item()
    assert ask(16)["spans"].sum() == flags
    assert set(ask(16)["dialect"]) == set(spans["dialect"])


def test_17_denials(ask: Callable[[int], pl.DataFrame], reader: Reader) -> None:
    decisions = reader.select("FROM policy_decisions")
    answer = ask(17)
    assert answer["decisions"].sum() == decisions.height
    assert answer["denied"].sum() == (decisions["action"] == "deny").sum() > 0
    assert "6" in answer.filter(pl.col("policy") == "access-control")["policy_version"].to_list()


def test_18_bypassed(ask: Callable[[int], pl.DataFrame], reader: Reader) -> None:
    bypassed = reader.select("SELECT run_id FROM approvals WHERE status = 'bypassed'")
    assert sorted(ask(18)["run_id"]) == sorted(bypassed["run_id"])


def test_19_auditable(ask: Callable[[int], pl.DataFrame], reader: Reader) -> None:
    whole = reader.select("SELECT avg(is_complete::INT) FROM audit_by_run WHERE is_settled").item()
    answer = ask(19)
    together = answer.select((pl.col("complete_ratio") * pl.col("runs")).sum() / pl.col("runs").sum()).item()
    assert together == pytest.approx(whole)
    assert answer.filter(pl.col("complete_ratio") == 1)["most_often_missing"].is_null().all()


def test_20_as_of(reader: Reader, spans: pl.DataFrame) -> None:
    first = spans["ingested_at"].min()
    changes = "SELECT min(snapshot_id) FROM ducklake_table_insertions('lake', 'main', 'spans', 0, ?::BIGINT)"
    newest = reader.select("SELECT max(id) FROM ducklake_current_snapshot('lake')").item()
    snapshot = reader.select(changes, [newest]).item()
    answer = reader.select(re.sub(r"VERSION => \d+", f"VERSION => {snapshot}", QUESTIONS[20]))
    then = spans.filter(pl.col("ingested_at") == first).height
    assert answer.rows() == [(then, spans.height)]
    assert 0 < then <= spans.height

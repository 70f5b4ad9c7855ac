"""``plumbline bridge`` on recorded runs: what it says is what the warehouse says, and sums exactly."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.cli import main
from pipelines.economics.periods import period
from pipelines.errors import TerminalError
from tests.conftest import SHARED_DATA
from tests.pipelines.test_real_traces import plumbline
from warehouse import read_only

SIDES = ("tau2-telecom", "--from-model", "gpt-4.1", "--to-model", "gpt-4.1-2025-04-14")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    traces = SHARED_DATA / "tau2" / "traces.otlp.jsonl"
    if not traces.is_file():
        pytest.skip("no shared data")
    home = tmp_path_factory.mktemp("tau2")
    plumbline(home, "stream", "--source", "files", "--until-end", "--files", str(traces))
    plumbline(home, "refresh")
    return home


def test_two_models_on_recorded_runs_sum_exactly(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    capfd.readouterr()
    plumbline(home, "bridge", *SIDES, "--format", "json")
    rows = {row["factor"]: row for row in json.loads(capfd.readouterr().out)}
    whole = rows.pop("cost per success")
    # As the source's own accounting has them: expected.json.
    assert (whole["before"], whole["after"]) == (pytest.approx(6.257094 / 39), pytest.approx(0.942952 / 16))
    assert sum(row["moved_usd"] for row in rows.values()) == pytest.approx(whole["moved_usd"], rel=1e-9)
    assert rows["success rate"]["before"] == pytest.approx(39 / 81) and rows["success rate"]["moved_usd"] < 0
    assert rows["model mix"]["moved_usd"] == 0 and rows["cache share"]["moved_usd"] < 0
    assert abs(rows["price"]["moved_usd"]) < 1e-9, "both are sold at one price"


def test_without_a_workflow_the_mix_of_them_is_a_factor_and_the_parts_sum_exactly(
    home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    capfd.readouterr()
    plumbline(home, "bridge", *SIDES[1:], "--format", "json")
    rows = {row["factor"]: row for row in json.loads(capfd.readouterr().out)}
    whole = rows.pop("cost per success")
    sql = """
        SELECT sum(cost_usd) / count(*) FILTER (outcome = 'success') AS usd FROM runs
        WHERE NOT is_pending AND cost_usd IS NOT NULL AND mode IS DISTINCT FROM 'shadow' AND model = ?
    """
    with read_only(home / "warehouse") as lake:
        stated = [lake.query(sql, [model]).item() for model in SIDES[2::2]]
    assert [whole["before"], whole["after"]] == [pytest.approx(usd, rel=1e-9) for usd in stated]
    assert sum(row["moved_usd"] for row in rows.values()) == pytest.approx(whole["moved_usd"], rel=1e-9)
    assert rows["workflow mix"]["moved_usd"] != 0 and rows["workflow mix"]["before"] is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("tau2-telecon", *SIDES[1:]), "use one of 'tau2-telecom'"),
        (("tau2-airline", "--to-model", "qwen2.5:7b"), "50 without a known price"),
        (("tau2-telecom", "--from", "2025-13", "--to", "2025-08"), "no period: '2025-13'"),
        (("tau2-telecom", "--from", "2019-01", "--to", "2025-08"), "its runs are of 2025-"),
        (("tau2-telecom",), "both sides are the same"),
    ],
)
def test_what_cannot_be_bridged_is_said_in_one_line(
    home: Path, arguments: tuple[str, ...], said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    capfd.readouterr()
    assert main(["--home", str(home), "bridge", *arguments]) == 1
    printed = capfd.readouterr()
    assert said in printed.err and printed.err.count("\n") == 1 and printed.out == ""


@pytest.mark.parametrize(
    "text", ["2025", "2025-02-30", "2025-W60", "2025-08-02..2025-08-01", "yesterday", "9999-12-31", "..", ""]
)
def test_other_words_are_no_period(text: str) -> None:
    with pytest.raises(TerminalError, match="no period"):
        period(text, "--from")

"""The FOCUS export: what its rows add up to, what has no row, what the validator says, and what it refuses."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.billing.focus import month_of, write_focus
from pipelines.cli import main
from pipelines.errors import TerminalError
from tests.pipelines.otlp import START_NS, request, span
from warehouse import read_only

ROOT = Path(__file__).resolve().parents[3]
PYTHON = ROOT / ".venv-focus" / "bin" / "python"
# Each under a workflow of its own: so a workflow's rows are the parts of one call.
CALLS: dict[str, dict[str, Any]] = {
    "plain": {"model": "gpt-4.1", "input_tokens": 1001, "output_tokens": 33},
    "cached": {"model": "gpt-4.1", "input_tokens": 90_001, "cache_read.input_tokens": 70_007, "output_tokens": 1},
    "reasoned": {"model": "o3", "input_tokens": 7, "output_tokens": 1234, "reasoning.output_tokens": 777},
    "written": {
        "provider": "anthropic",
        "model": "claude-sonnet-4-5",
        "input_tokens": 5003,
        "cache_read.input_tokens": 1009,
        "cache_creation.input_tokens": 2017,
        "output_tokens": 91,
    },
    "long": {"provider": "gcp.gemini", "model": "gemini-2.5-pro", "input_tokens": 250_013, "output_tokens": 997},
    "spoken": {
        "model": "gpt-realtime",
        "input_tokens": 2003,
        "cache_read.input_tokens": 700,
        "audio.input_tokens": 1201,
        "audio.cache_read.input_tokens": 501,
        "output_tokens": 307,
        "audio.output_tokens": 211,
    },
    "muddled": {
        "model": "gpt-realtime",
        "input_tokens": 1000,
        "cache_read.input_tokens": 400,
        "audio.input_tokens": 900,
        "output_tokens": 0,
    },
    "unknown": {"model": "house-model", "input_tokens": 10, "output_tokens": 10},
    '=cmd|"/c calc"!A1': {"model": "gpt-4.1", "input_tokens": 3, "output_tokens": 0},
}
BY_GROUP = """
SELECT p.model, c.workflow, c.started_at::DATE AS day, sum(c.cost_usd) AS cost
FROM model_calls AS c JOIN price_list AS p USING (price_id)
WHERE c.cost_usd IS NOT NULL AND c.started_at >= '2025-08-01' AND c.started_at < '2025-09-01'
GROUP BY ALL
"""


def plumbline(home: Path, *arguments: str) -> None:
    assert main(["--home", str(home), *arguments]) == 0


def loaded(home: Path, files: str) -> None:
    plumbline(home, "stream", "--source", "files", "--files", files, "--until-end")
    plumbline(home, "refresh")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("calls")
    spans = [
        span(
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.workflow.name": workflow,
                "gen_ai.provider.name": call.get("provider", "openai"),
                "gen_ai.request.model": call["model"],
                **{f"gen_ai.usage.{name}": count for name, count in call.items() if name.endswith("tokens")},
            },
            trace_id=f"{number:032x}",
            span_id=f"{number:016x}",
            parent="",
            start_ns=START_NS,
        )
        for number, (workflow, call) in enumerate(CALLS.items(), 1)
    ]
    (folder / "calls.jsonl").write_text(json.dumps(request(*spans)) + "\n")
    loaded(folder / "home", str(folder / "calls.jsonl"))
    return folder / "home"


def exported(home: Path, file: Path, month: str) -> list[dict[str, str]]:
    plumbline(home, "export", "focus", "--month", month, "--out", str(file))
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines))


def test_the_parts_of_each_call_sum_to_its_cost(home: Path, tmp_path: Path) -> None:
    rows = exported(home, tmp_path / "focus.csv", "2026-08")
    with read_only(home / "warehouse") as lake:
        costs = dict(lake.query("SELECT workflow, cost_usd FROM model_calls").rows())
    assert costs.pop("unknown") is None
    parts: dict[str, dict[str, float]] = {}
    for row in rows:
        parts.setdefault(json.loads(row["Tags"])["workflow"], {})[row["SkuMeter"]] = float(row["BilledCost"])
    assert {name: set(kinds) for name, kinds in parts.items()} == {
        "plain": {"input", "output"},
        "cached": {"input", "cached input", "output"},
        "reasoned": {"input", "output", "reasoning"},
        "written": {"input", "cached input", "cache write", "output"},
        "long": {"input", "output"},
        "muddled": {"cached input", "audio input", "cached audio input"},
        "spoken": {"input", "cached input", "audio input", "cached audio input", "output", "audio output"},
        '=cmd|"/c calc"!A1': {"input"},
    }
    for name, cost in costs.items():
        assert sum(parts[name].values()) == pytest.approx(cost, rel=0, abs=1e-12), name


def test_text_from_traces_starts_no_formula(home: Path, tmp_path: Path) -> None:
    rows = exported(home, tmp_path / "focus.csv", "2026-08")
    assert '\'=cmd|"/c calc"!A1' in {row["x_Workflow"] for row in rows}
    for row in rows:
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row.values())


def test_a_month_of_real_runs_costs_what_its_calls_do(shared_data: Path, tmp_path: Path) -> None:
    loaded(tmp_path, str(shared_data / "tau2" / "traces.otlp.jsonl"))
    rows = exported(tmp_path, tmp_path / "focus.csv", "2025-08")
    with read_only(tmp_path / "warehouse") as lake:
        expected = {(model, name, str(day)): cost for model, name, day, cost in lake.query(BY_GROUP).rows()}
    found: dict[tuple[str, str, str], float] = {}
    for row in rows:
        key = (row["x_Model"], row["x_Workflow"], row["ChargePeriodStart"][:10])
        found[key] = found.get(key, 0.0) + float(row["BilledCost"])
        assert float(row["ListUnitPrice"]) * float(row["PricingQuantity"]) == float(row["ListCost"])
        assert float(row["ConsumedQuantity"]) > 0
    assert found == pytest.approx(expected, rel=0, abs=1e-12)
    assert len(rows) == 9
    plumbline(tmp_path, "export", "focus", "--month", "2025-08", "--out", str(tmp_path / "focus.parquet"))
    same = pl.read_parquet(tmp_path / "focus.parquet")
    assert same["BilledCost"].to_list() == [float(row["BilledCost"]) for row in rows]
    if not PYTHON.exists():
        pytest.skip("no .venv-focus: `make focus` makes it and runs the validator")
    for form in ("csv", "parquet"):
        assert validated(tmp_path / f"focus.{form}") == {"InvoiceId-C-005-C"}
    # The validator asks of every row that it be null, and that it be not: whatever stands there, one of the two rules fails.
    billed = pl.read_csv(tmp_path / "focus.csv", infer_schema=False).with_columns(InvoiceId=pl.lit("2025-08"))
    billed.write_csv(tmp_path / "billed.csv")
    assert validated(tmp_path / "billed.csv") == {"InvoiceId-C-004-C"}


def validated(file: Path) -> set[str]:
    """The rules of FOCUS 1.2 that fail. The validator reads its list of currencies below the folder it is started in."""
    (packages,) = PYTHON.parents[1].glob("lib/python3*/site-packages")
    command = ["-m", "focus_validator.main", "--data-file", str(file), "--validate-version", "1.2", "--block-download"]
    said = subprocess.run(
        [str(PYTHON), *command, "--show-violations"],
        cwd=packages,
        env={"PATH": os.environ["PATH"], "HOME": str(file.parent)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    found = re.search(r"Pass: (\d+)", said.stdout)
    assert found is not None, said.stderr[-2000:]
    assert int(found[1]) > 100
    return set(re.findall(r"(\S+): FAIL", said.stdout))


@pytest.mark.parametrize("month", ["2026-13", "2026-8", "August", "2026-08-01", "'; DROP", "0000-01", ""])
def test_what_names_no_month_is_refused(month: str) -> None:
    with pytest.raises(TerminalError, match="no month"):
        month_of(month)


def test_december_ends_with_the_year() -> None:
    assert [day.isoformat() for day in month_of("2025-12")] == ["2025-12-01", "2026-01-01"]


def test_a_month_without_calls_and_a_file_that_cannot_be_are_one_clear_line(
    home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for month, file, says in (
        ("2024-01", "a.csv", "no model calls (2024-01)"),
        ("2026-08", "a.xlsx", "unknown form '.xlsx'"),
        ("2026-08", "missing/a.csv", "cannot write there"),
    ):
        assert main(["--home", str(home), "export", "focus", "--month", month, "--out", str(tmp_path / file)]) == 1
        told = capfd.readouterr().err
        assert says in told
        assert told.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_warehouse_without_marts_says_what_to_run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "none.jsonl").write_text(json.dumps(request(span())) + "\n")
    plumbline(tmp_path, "stream", "--source", "files", "--files", str(tmp_path / "none.jsonl"), "--until-end")
    capfd.readouterr()
    assert main(["--home", str(tmp_path), "export", "focus", "--month", "2026-08", "--out", "a.csv"]) == 1
    assert "run `plumbline refresh` first" in capfd.readouterr().err


def test_a_file_that_could_not_be_finished_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "focus.csv").mkdir()
    with pytest.raises(TerminalError, match="cannot write there"):
        write_focus(pl.DataFrame({"BilledCost": [1.0]}), tmp_path / "focus.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["focus.csv"]

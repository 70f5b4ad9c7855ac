"""Fixtures: a home whose warehouse holds a few runs, written without the stream, before and after a refresh."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.defs.refresh import RefreshResult, refresh
from warehouse import Warehouse

START = datetime(2025, 8, 4, 9, 0)
RUNS = 12
HOSTILE = "'); DROP TABLE spans; -- <script>alert(1)</script> {{7*7}} \x1b[31m\n| x |"


def span(run: int, place: int, kind: str, **columns: Any) -> dict[str, Any]:
    """A span of run number `run`; the root has place 0."""
    started = START + timedelta(hours=run, seconds=place)
    return {
        "trace_id": f"{run:032x}",
        "span_id": f"{run * 100 + place + 1:016x}",
        "parent_span_id": f"{run * 100 + 1:016x}" if place else None,
        "run_id": f"{run:032x}",
        "workflow": f"workflow-{run % 2}",
        "workflow_rank": 1,
        "kind": kind,
        "name": kind,
        "status": "ok",
        "started_at": started,
        "ended_at": started + timedelta(seconds=1),
        "quality_flags": [],
        **columns,
    }


def run_spans(run: int) -> list[dict[str, Any]]:
    """A run of one model call of a cent and one tool call."""
    call = {"request_model": "gpt-4.1", "input_tokens": 900, "output_tokens": 50, "cost_usd": 0.01, "price_id": "p"}
    return [span(run, 0, "run"), span(run, 1, "model", **call), span(run, 2, "tool", tool_name="lookup")]


def outcome(run: int) -> dict[str, Any]:
    """Three runs of four succeed."""
    status = "failure" if run % 4 == 3 else "success"
    at = START + timedelta(hours=run, minutes=1)
    return {"outcome_id": f"o{run}", "run_id": f"{run:032x}", "status": status, "at": at, "source": "span"}


def store(home: Path, table: str, rows: list[dict[str, Any]]) -> None:
    """Insert rows as the stream would."""
    frame = pl.DataFrame(rows, infer_schema_length=None)
    with Warehouse.open(home / "warehouse") as warehouse:
        warehouse.transaction(lambda connection: warehouse.insert(connection, table, frame))


@pytest.fixture(scope="session")
def stored_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with `RUNS` runs, the last of which names itself in hostile text."""
    home = tmp_path_factory.mktemp("stored") / "home"
    named = {"run_id": HOSTILE, "workflow": HOSTILE, "agent": HOSTILE, "request_model": HOSTILE}
    ordinary = [row for run in range(RUNS - 1) for row in run_spans(run)]
    store(home, "spans", [*ordinary, *({**row, **named} for row in run_spans(RUNS - 1))])
    store(home, "outcomes", [outcome(run) for run in range(RUNS - 1)])
    return home


@pytest.fixture
def home(stored_home: Path, tmp_path: Path) -> Path:
    """A copy of its own of `stored_home`."""
    return Path(shutil.copytree(stored_home, tmp_path / "home"))


@pytest.fixture(scope="session")
def refreshed(stored_home: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RefreshResult]:
    """A home that was refreshed once, to copy from, and what came of it."""
    home = Path(shutil.copytree(stored_home, tmp_path_factory.mktemp("refreshed") / "home"))
    return home, refresh(home)

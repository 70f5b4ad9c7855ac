"""A refresh that has nothing to do says what the last one found, and one that has something to do is not spared."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from pipelines.cli import main
from pipelines.defs import unchanged
from pipelines.defs.home import dagster_home
from pipelines.defs.refresh import RefreshResult
from tests.pipelines.defs.conftest import RUNS, outcome, run_spans, store
from warehouse import Warehouse, marts


def runs_recorded(home: Path) -> int:
    with dg.DagsterInstance.from_config(str(dagster_home(home))) as instance:
        return instance.get_runs_count()


@pytest.fixture
def home(refreshed: tuple[Path, RefreshResult], tmp_path: Path) -> Path:
    """A home whose latest refresh was the command, with nothing new after it."""
    home = Path(shutil.copytree(refreshed[0], tmp_path / "home"))
    assert main(["--home", str(home), "refresh"]) == 0
    return home


def test_with_nothing_new_it_says_the_same_and_starts_nothing(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    capfd.readouterr()
    before = runs_recorded(home)
    (home / "dagster" / "refreshed.json").rename(home / "kept.json")
    assert main(["--home", str(home), "refresh"]) == 0
    made = capfd.readouterr()
    assert runs_recorded(home) == before + 1, "without the note it is made"
    assert main(["--home", str(home), "refresh"]) == 0
    assert capfd.readouterr() == made
    assert runs_recorded(home) == before + 1
    assert f"runs: {RUNS} rows" in made.out.splitlines()


def another_span(home: Path) -> list[str]:
    store(home, "spans", run_spans(RUNS))
    store(home, "outcomes", [outcome(RUNS)])
    return []


def another_price_list(home: Path) -> list[str]:
    catalog = home / "catalog.yaml"
    catalog.write_text("workflows: {}\n", encoding="utf-8")
    return ["--catalog", str(catalog)]


def another_table(home: Path) -> list[str]:
    with Warehouse.open(home / "warehouse") as warehouse:
        warehouse.transaction(lambda c: c.execute("DELETE FROM cost_per_outcome_weekly"))
    return []


@pytest.mark.slow
@pytest.mark.parametrize("change", [another_span, another_price_list, another_table, lambda home: ["--whole"]])
def test_with_something_new_it_is_made(home: Path, change: Callable[[Path], list[str]]) -> None:
    before = runs_recorded(home)
    assert main(["--home", str(home), "refresh", *change(home)]) == 0
    assert runs_recorded(home) == before + 1


def test_after_an_hour_it_is_recorded_again(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = runs_recorded(home)
    monkeypatch.setattr(unchanged, "KEPT_S", 0.0)
    assert main(["--home", str(home), "refresh"]) == 0
    assert runs_recorded(home) == before + 1


def test_what_came_while_it_ran_is_not_taken_for_known(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store(home, "spans", run_spans(RUNS))
    build = marts.build

    def beside_a_stream(warehouse: Warehouse, name: str, **given: Any) -> marts.Built:
        if name == "versions_daily":  # after runs: its mart knows nothing of this one
            store(home, "spans", run_spans(RUNS + 1))
        return build(warehouse, name, **given)

    with monkeypatch.context() as patch:
        patch.setattr(marts, "build", beside_a_stream)
        assert main(["--home", str(home), "refresh"]) == 0
    before = runs_recorded(home)
    assert main(["--home", str(home), "refresh"]) == 0
    assert runs_recorded(home) == before + 1
    with Warehouse.open(home / "warehouse", read_only=True) as warehouse:
        assert warehouse.query("SELECT count(*) FROM runs").item() == RUNS + 2

"""An analyst's command gives way before it loads anything; every other one keeps its priority and all cores."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.priority import command

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the idle class is Linux's")

#: What `python -m pipelines` is while the command line begins to load, and whether anything heavy is there already.
_WATCHED = """
import os, sys

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "pipelines.cli":
            loaded = sorted({"duckdb", "polars", "pyarrow", "typer"} & sys.modules.keys())
            print(os.nice(0), os.sched_getscheduler(0), len(os.sched_getaffinity(0)), loaded, flush=True)
            os._exit(0)

sys.meta_path.insert(0, Watch())
import runpy
runpy.run_module("pipelines", run_name="__main__", alter_sys=False)
"""


def begun(folder: Path, *arguments: str, nice: str | None = "19") -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PLUMBLINE_QUERY_NICE"}
    environment |= {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", _WATCHED, *arguments],
        cwd=folder,
        env=environment if nice is None else {**environment, "PLUMBLINE_QUERY_NICE": nice},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_an_analysts_command_gives_way_before_it_loads_anything(tmp_path: Path) -> None:
    cores = len(os.sched_getaffinity(0))
    lowest = f"19 {os.SCHED_IDLE} {max(1, cores - 1)} []"
    assert begun(tmp_path, "--home", "h", "sql", "SELECT 1") == lowest
    assert begun(tmp_path, "sql-server", nice=None) == lowest, "the default"
    assert begun(tmp_path, "sql", nice="3") == f"{max(3, os.nice(0))} {os.sched_getscheduler(0)} {cores} []"


def test_other_commands_keep_their_priority_and_so_does_one_whose_settings_are_broken(tmp_path: Path) -> None:
    same = f"{os.nice(0)} {os.sched_getscheduler(0)} {len(os.sched_getaffinity(0))} []"
    assert begun(tmp_path, "--home", "sql", "stream") == same
    assert begun(tmp_path, "sql", nice="very") == same
    (tmp_path / "plumbline.toml").write_text("query_nice = 0\n", encoding="ascii")
    assert begun(tmp_path, "sql", nice=None) == same


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["--home", "sql", "stream"], "stream"),
        (["--debug", "--bootstrap-servers", "x:1", "sql"], "sql"),
        (["--home"], None),
        ([], None),
    ],
)
def test_the_command_is_the_first_argument_that_is_no_option(arguments: list[str], found: str | None) -> None:
    assert command(arguments) == found

"""A process that answers analysts is bounded as a whole, and gives way; what asks for more ends in one line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.cli import main
from tests.warehouse.hostile import write_small_lake

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds what a process may write to")

# 6 GB of text, which the engine's own limit lets through: it is counted when it is made, a vector of 2,048 rows at a time.
HEAVY = "SELECT max(length(repeat('x', 3000000 + range::INT))) AS n FROM range(2000)"
#: Runs the command line it is given; the last line of stderr says what it took at most (MiB), and its priority and policy
#: of scheduling.
_WATCHED = """
import os, re, sys
from pathlib import Path
from pipelines.cli import main
status = main()
# Not getrusage: what it tells of a process that was forked begins with what its parent took.
peak = int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) // 1024
print(peak, os.nice(0), os.sched_getscheduler(0), file=sys.stderr)
sys.exit(status)
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("confining") / "home"
    write_small_lake(path / "warehouse")
    return path


def ran(home: Path, *arguments: str, **environment: str) -> tuple[int, str, list[str], int, tuple[int, int]]:
    """Status, output, lines of errors, most memory taken (MiB), priority and policy of the command in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", _WATCHED, "--home", str(home), *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    *lines, last = done.stderr.splitlines()
    peak, nice, policy = map(int, last.split())
    return done.returncode, done.stdout, lines, peak, (nice, policy)


@pytest.mark.parametrize(
    "command", [("sql", HEAVY), ("export", "query", HEAVY, "--out", "{out}")], ids=["sql", "export"]
)
def test_text_that_the_engine_does_not_count_ends_in_one_line_and_not_the_host(
    home: Path, command: tuple[str, ...], tmp_path: Path
) -> None:
    bounds = {"PLUMBLINE_QUERY_MEMORY_MB": "64", "PLUMBLINE_QUERY_PROCESS_MB": "700", "PLUMBLINE_QUERY_NICE": "19"}
    status, out, lines, peak, gives_way = ran(home, *(part.format(out=tmp_path / "out") for part in command), **bounds)
    assert (status, out, len(lines)) == (1, "", 1)
    assert "the statement needs more than 64 MiB of memory" in lines[0]
    assert 0 < peak < 700 + 600, "what it may take, and what it takes to start"
    assert gives_way == (min(19, os.nice(0) + 19), os.SCHED_IDLE)


def test_what_fits_is_answered_and_the_priority_is_a_setting(home: Path) -> None:
    for given in (0, 5):
        status, out, lines, _, gives_way = ran(
            home, "sql", "--format", "csv", "SELECT 42 AS n", PLUMBLINE_QUERY_NICE=str(given)
        )
        assert (status, out, lines) == (0, "n\n42\n", [])
        assert gives_way == (min(19, os.nice(0) + given), os.sched_getscheduler(0))


def test_a_process_that_is_not_the_command_s_own_is_left_as_it_is(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import resource

    before = os.nice(0), os.sched_getscheduler(0), resource.getrlimit(resource.RLIMIT_DATA)
    assert main(["--home", str(home), "sql", "SELECT 1"]) == 0
    assert (os.nice(0), os.sched_getscheduler(0), resource.getrlimit(resource.RLIMIT_DATA)) == before

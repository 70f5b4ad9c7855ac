"""Compaction in a process of its own, as Dagster runs it.

In one process DuckLake 1.5.5 corrupts memory where one lake is flushed while another one is in use, and a process that runs
tests has had many.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import json
import sys
from datetime import timedelta
from pathlib import Path
from warehouse import Warehouse, compaction
home, times, options = Path(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3])
with Warehouse.open(home) as warehouse:
    for _ in range(times):
        counts = compaction.compact(warehouse, **{name: timedelta(days=days) for name, days in options.items()})
        print(json.dumps(counts), flush=True)
"""


def start(home: Path, times: int = 1, **days: float) -> subprocess.Popen[str]:
    """Start to compact a warehouse so many times; `days` are `compact`'s keep and grace where they are not its own."""
    command = [sys.executable, "-c", SCRIPT, str(home), str(times), json.dumps(days)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def compact(home: Path, times: int = 1, **days: float) -> dict[str, int]:
    """Compact a warehouse and give the counts of the last time."""
    output, errors = start(home, times, **days).communicate(timeout=300)
    assert not errors, errors
    return json.loads(output.splitlines()[-1])

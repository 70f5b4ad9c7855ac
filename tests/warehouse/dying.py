"""A process that works on a warehouse and dies at a step: ``python -m tests.warehouse.dying POINT NTH WORK HOME [ARGUMENT…]``.

POINT is ``module:function``, whose NTH return is the last thing that happens; with ``!`` behind it, its NTH call.
The product's functions are wrapped, not changed. Each lake in a process of its own: in one process DuckLake 1.5.5 corrupts memory
where one lake is flushed while another is in use.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
NEVER = ("never", 1)


def work_on(home: Path, work: str, *arguments: object, die: tuple[str, int] = NEVER, **popen: Any) -> Any:
    """Do the work in a process that dies at `die`; what it answered, or None where it died.

    Raises
    ------
    AssertionError
        It ended otherwise.
    """
    command = [
        sys.executable,
        "-m",
        "tests.warehouse.dying",
        die[0],
        str(die[1]),
        work,
        str(home),
        *map(str, arguments),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False, **popen)
    if done.returncode == -signal.SIGKILL and die != NEVER:
        return None
    assert done.returncode in (0, 3), f"exit {done.returncode}: {done.stderr[-2000:]}"
    return json.loads(done.stdout.splitlines()[-1])


def passings(home: Path, work: str, *arguments: object) -> list[str]:
    """Points that a work passes, in order, each as often as it does."""
    command = [sys.executable, "-m", "tests.warehouse.dying", "count", "1", work, str(home), *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=True)
    return [line.removeprefix("passed ") for line in done.stdout.splitlines() if line.startswith("passed ")]


#: Where a work can die: after each of these has returned, or in the middle of a transaction, before and after its commit.
POINTS = {
    "compact": ["warehouse.compaction:_call", "warehouse.lake:Warehouse._retried"],
    "migrate": ["warehouse.migrate:_apply", "warehouse.lake:Warehouse._retried", "warehouse.describing:put_comments"],
    "retain": ["warehouse.retention:_delete", "warehouse.lake:Warehouse._retried"],
    "backup": [
        "warehouse.upkeep.backup:copy_catalog",
        "warehouse.upkeep.backup:copy",
        "warehouse.upkeep.copying:digest",
        "warehouse.upkeep.backup:look_into",
        "warehouse.upkeep.backup:_write",
        "warehouse.upkeep.backup:_finish",
        "warehouse.upkeep.backup:remove_beyond",
    ],
    "restore": [
        "warehouse.upkeep.restore:_check",
        "warehouse.upkeep.restore:copy",
        "warehouse.upkeep.restore:_fill",
        "warehouse.upkeep.restore:_compare",
        "warehouse.upkeep.restore:_put_in_place!",
        "warehouse.upkeep.restore:_put_in_place",
    ],
}
# Each transaction's commit: what was done is not committed yet, or just has been.
COMMITTING = "commit"


def _wrap(point: str, reached: Callable[[str], None]) -> None:
    if point == COMMITTING:
        _wrap_commit(reached)
        return
    module, _, name = point.removesuffix("!").partition(":")
    owner: Any = importlib.import_module(module)
    *outer, name = name.split(".")
    for part in outer:
        owner = getattr(owner, part)
    inner = getattr(owner, name)

    def wrapped(*positional: Any, **named: Any) -> Any:
        if point.endswith("!"):
            reached(point)
            return inner(*positional, **named)
        result = inner(*positional, **named)
        reached(point)
        return result

    setattr(owner, name, wrapped)


def _wrap_commit(reached: Callable[[str], None]) -> None:
    from warehouse import Warehouse

    inner = Warehouse.transaction

    def transaction(self: Warehouse, work: Callable[[Any], Any]) -> Any:
        def watched(connection: Any) -> Any:
            result = work(connection)
            reached(COMMITTING)
            return result

        return inner(self, watched)

    Warehouse.transaction = transaction


def _compact(home: Path, keep: str = "0", grace: str = "0") -> Any:
    from warehouse import Warehouse, compaction

    with Warehouse.open(home) as lake:
        compaction.ORPHAN_AGE = timedelta(days=float(grace))
        return compaction.compact(lake, keep=timedelta(days=float(keep)), grace=timedelta(days=float(grace)))


def _migrate(home: Path) -> Any:
    from warehouse import Warehouse

    with Warehouse.open(home) as lake:
        return lake.query("SELECT max(version) FROM schema_migrations").item()


def _retain(home: Path, table: str, days: str, now: str) -> Any:
    from warehouse import Warehouse, retention

    with Warehouse.open(home) as lake:
        return retention.apply(lake, {table: int(days)}, now=datetime.fromisoformat(now))


def _backup(home: Path, into: str, keep: str = "9", moment: str = "") -> Any:
    from warehouse.upkeep.backup import back_up

    now = datetime.fromisoformat(moment).replace(tzinfo=UTC) if moment else None
    made = back_up(home, Path(into), keep=int(keep), now=now)
    return {"name": made.name, "rows": made.rows, "snapshot": made.snapshot}


def _restore(home: Path, into: str, *options: str) -> Any:
    from warehouse.upkeep.restore import restore

    kept, left_out = restore(Path(into), home, without_damaged="without_damaged" in options)
    return {"name": kept.name, "rows": kept.rows, "left_out": left_out}


def _flush(home: Path) -> Any:
    from warehouse import Warehouse, compaction

    with Warehouse.open(home) as lake:
        lake.transaction(lambda connection: connection.execute(compaction.FLUSH).fetchall())
    return None


def _hostile(home: Path) -> Any:
    """Spans of a topic whose name would drive a terminal: in their files' statistics too."""
    from warehouse import Warehouse

    with Warehouse.open(home) as lake:
        hostile = 'UPDATE spans SET topic = \'\x1b[31m[bold]\' || topic, "partition" = 0, "offset" = 0'
        lake.transaction(lambda connection: connection.execute(hostile).fetchall())
    return None


def _repair(home: Path, backups: str = "") -> Any:
    from warehouse.upkeep.inspection import inspect
    from warehouse.upkeep.repair import plan

    steps, beyond = plan(home, inspect(home), Path(backups) if backups else None)
    return {"did": [step.do() for step in steps], "beyond": beyond}


def _main(point: str, nth: str, work: str, home: str, *arguments: str) -> int:
    left = int(nth)

    def reached(passed: str) -> None:
        nonlocal left
        if point == "count":
            print(f"passed {passed}", flush=True)
        elif passed == point:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    for each in [*POINTS.get(work, []), COMMITTING] if point == "count" else [] if point == "never" else [point]:
        _wrap(each, reached)
    from warehouse import WarehouseError

    try:
        answer = globals()[f"_{work}"](Path(home), *arguments)
    except WarehouseError as error:
        print(json.dumps({"error": str(error), "kind": type(error).__name__}))
        return 3
    print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))

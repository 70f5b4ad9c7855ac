"""One reader of the readers scenario: the cookbook's statements in a loop, by one of the documented ways in.

``python -m tests.benchmarks.reading WAY HOME NUMBER FOLDER``: until a file ``stop`` is in the folder; what it did is then in
``reader-NUMBER.json``. An error is noted and the next statement asked, as an analyst would.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from pipelines.priority import give_way
from warehouse import Limits, Reader
from warehouse.attaching import attach_lines
from warehouse.extensions import load_extensions

COOKBOOK = Path(__file__).parents[2] / "docs" / "cookbook.md"
WAYS = ("plumbline sql", "sql-server", "Reader", "ATTACH")

_Ask = Callable[[str], int]


def statements() -> list[str]:
    """The SQL of every question of the cookbook."""
    return re.findall(r"```sql\n(.*?)```", COOKBOOK.read_text(encoding="utf-8"), re.DOTALL)


@contextmanager
def opened(way: str, home: Path) -> Iterator[_Ask]:
    """What asks a statement in one way, and says how many rows came; of `plumbline sql`, how many lines."""
    warehouse = home / "warehouse"
    if way == "plumbline sql":
        command = [sys.executable, "-P", "-m", "pipelines", "--home", str(home), "sql", "--format", "csv"]

        def by_command(sql: str) -> int:  # as from a shell, which gives way to nobody
            done = subprocess.run([*command, sql], capture_output=True, text=True, check=False)
            if done.returncode:
                raise RuntimeError(done.stderr.strip())
            return done.stdout.count("\n") - 1

        yield by_command
    elif way == "sql-server":
        import adbc_driver_flightsql.dbapi as flight_sql

        _give_way()
        shown = {"username": "reader", "password": (home / "sql_server.token").read_text(encoding="ascii").strip()}
        address = (home / "sql_server.address").read_text(encoding="ascii")
        with flight_sql.connect(address, db_kwargs=shown, autocommit=True) as connection, connection.cursor() as cursor:

            def by_driver(sql: str) -> int:
                cursor.execute(sql)
                return cursor.fetch_arrow_table().num_rows

            yield by_driver
    elif way == "Reader":
        _give_way()
        with Reader(warehouse, limits=Limits(threads=1)) as reader:
            yield lambda sql: reader.select(sql).height
    else:
        _give_way()
        with duckdb.connect(config={"threads": 1}) as connection:
            load_extensions(connection)
            for line in attach_lines(warehouse):
                connection.execute(line)
            yield lambda sql: len(connection.execute(sql).fetchall())


def _give_way() -> None:
    """As docs/warehouse.md tells who brings a process of their own; the server's client, which has its own machine, as well."""
    give_way(19)


def read(ask: _Ask, asked: list[str], goes_on: Callable[[], bool]) -> dict[str, Any]:
    """Ask the statements round and round while `goes_on` says so; the times in seconds, and the errors."""
    seconds: list[float] = []
    errors: list[str] = []
    number = 0
    while goes_on():
        began = time.perf_counter()
        try:
            ask(asked[number % len(asked)])
        except Exception as error:  # whatever it is, it is what the scenario counts
            errors.append(f"{type(error).__name__}: {error}"[:500])
        else:
            seconds.append(time.perf_counter() - began)
        number += 1
    return {"seconds": seconds, "errors": errors}


def main(way: str, home: Path, number: int, folder: Path) -> None:
    """Read until told to stop."""
    asked = statements()
    first = number * len(asked) // 8  # not all the same one at a time
    with opened(way, home) as ask:
        ask("SELECT 1")
        (folder / f"ready-{number}").touch()
        found = read(ask, asked[first:] + asked[:first], lambda: not (folder / "stop").exists())
    (folder / f"reader-{number}.json").write_text(json.dumps({"way": way, **found}), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))

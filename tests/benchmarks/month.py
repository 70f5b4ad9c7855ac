"""A month's questions to a warehouse of so many spans, as an analyst asks them: one reader, two threads, nothing beside it."""

from __future__ import annotations

import math
import os
import re
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tests.benchmarks.traffic import traffic
from tests.benchmarks.worker import Worker
from warehouse import Limits, Reader, Warehouse, marts

_HERE = Path(__file__).parent
_COPY = (_HERE / "copy_day.sql").read_text(encoding="utf-8").split(";\n")
_QUESTIONS = re.compile(r"^-- (\w+): (.+)\n((?:(?!--).*\n?)+)", re.MULTILINE)
_TABLES = ("spans", "runs", "model_calls", "tool_calls")
_BASE_SPANS = 140_000
_DAYS, _MONTH_DAYS = 100, 31
_TIMES = 5
_THREADS = 2


def questions() -> list[tuple[str, str, str]]:
    """Table, words and statement of each question."""
    text = (_HERE / "month_questions.sql").read_text(encoding="utf-8").split("\n\n", 1)[1]
    return [(table, words, sql.strip().rstrip(";")) for table, words, sql in _QUESTIONS.findall(text)]


def month(scratch: Path, spans: int, *, seed: int, base_spans: int = _BASE_SPANS) -> dict[str, Any]:
    """Figures of a warehouse of a streamed, compacted and refreshed day and its copies on the days before it."""
    load = traffic(scratch / "day", base_spans, seed=seed)
    home = scratch / "home"
    files = [part for path in load.files for part in ("--files", str(path))]
    Worker(home, "--source", "files", *files, "--until-end").wait()
    with Warehouse.open(home / "warehouse", limits=Limits(threads=_THREADS, memory="8GB")) as lake:
        lake.compact()
        for name in marts.names():
            marts.build(lake, name)
        _copy(lake, spans)
        latest = lake.query("SELECT max(started_at)::DATE - 1 FROM runs").item()
        rows = {name: lake.query(f"SELECT count(*) FROM {name}").item() for name in _TABLES}
        size = lake.query("SELECT sum(file_size_bytes)::BIGINT FROM ducklake_table_info('lake')").item()
    until = datetime(latest.year, latest.month, latest.day)
    since = until - timedelta(days=_MONTH_DAYS)
    within = f"started_at >= TIMESTAMP '{since}' AND started_at < TIMESTAMP '{until}'"
    with Reader(home / "warehouse", limits=Limits(threads=_THREADS)) as reader:
        in_month = reader.select(f"SELECT count(*) FROM spans WHERE {within}").item()
        found = [_asked(reader, table, words, sql.replace("$month", within)) for table, words, sql in questions()]
    return {"rows": rows, "bytes": size, "spans_in_month": in_month, "questions": found}


def _copy(lake: Warehouse, spans: int) -> None:
    base = lake.query("SELECT count(*) FROM spans").item()
    for name in _TABLES:
        order = f"CREATE TABLE memory.main.base_{name} AS FROM lake.main.{name} ORDER BY started_at"
        lake.connection.execute(order)
    times = max(1, math.ceil(spans / base / _DAYS))
    days = math.ceil((spans / base - 1) / times)
    # Spans a day at a time; of the marts per run, which a refresh would take long to compute of all these, each in one go.
    told = [(_COPY[0], day, day) for day in range(1, days + 1)] + [(statement, 1, days) for statement in _COPY[1:]]
    for statement, first, last in told:
        values = {"first": first, "last": last, "times": times}
        lake.transaction(lambda connection, sql=statement, values=values: connection.execute(sql, values))
    for name in _TABLES:
        lake.connection.execute(f"DROP TABLE memory.main.base_{name}")


def _asked(reader: Reader, table: str, words: str, sql: str) -> dict[str, Any]:
    """Best of several: the page's point is what the layout of the files costs, not who else was on the machine."""
    walls: list[float] = []
    processor: list[float] = []
    rows = 0
    for _ in range(_TIMES):
        before, began = os.times(), time.perf_counter()
        rows = len(reader.select(sql))
        walls.append(time.perf_counter() - began)
        after = os.times()
        processor.append(after.user + after.system - before.user - before.system)
    return {"table": table, "question": words, "rows": rows, "seconds": min(walls), "cpu_seconds": min(processor)}

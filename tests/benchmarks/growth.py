"""Cost of a span as the warehouse grows: the same new traffic beside ever more old rows."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from pipelines.settings import Settings
from tests.benchmarks.traffic import traffic
from tests.benchmarks.worker import Worker
from warehouse import Warehouse

_COPY = (Path(__file__).parent / "grow.sql").read_text(encoding="utf-8")
_COUNT = "SELECT count(*) FROM spans"
_SIZE = "SELECT sum(file_size_bytes) FROM ducklake_table_info('lake') WHERE table_name = 'spans'"
_BASE_SPANS = 500_000
_FRESH_SPANS = 300_000
#: Days before the traffic's first on which old rows are put, so many to the day.
_OLD_DAYS = 90


def growth(scratch: Path, sizes: list[int], *, seed: int) -> list[dict[str, Any]]:
    """Figures per size (rows in ``spans``) reached by copies of streamed rows under other ids and days."""
    settings = Settings(home=scratch / "grown")
    base = traffic(scratch / "base", _BASE_SPANS, seed=seed)
    _stream(settings, base.files)
    found: list[dict[str, Any]] = []
    copies = 0
    for number, size in enumerate(sizes, start=1):
        with Warehouse.open(settings.warehouse) as lake:
            while lake.query(_COUNT).item() < size:
                copies += 1
                values = {"copy": copies, "days": 1 + copies % _OLD_DAYS}
                lake.transaction(lambda connection, values=values: connection.execute(_COPY, values))
            lake.compact()
            rows = lake.query(_COUNT).item()
            bytes_per_span = int(lake.query(_SIZE).item()) / rows
        fresh = traffic(scratch / f"fresh{number}", _FRESH_SPANS, seed=seed + number, day=number)
        outcome = _stream(settings, fresh.files)
        began = time.perf_counter()
        with Warehouse.open(settings.warehouse, read_only=True) as lake:
            lake.query(_COUNT)
        found.append(
            {
                "rows": rows,
                "spans_per_second": outcome.spans / (outcome.steps["commit"] + outcome.steps["detect"]),
                "commit_microseconds_per_span": 1e6 * outcome.steps["commit"] / outcome.spans,
                "cpu_microseconds_per_span": 1e6 * outcome.cpu_seconds / outcome.spans,
                "peak_resident_bytes": outcome.peak_resident_bytes,
                "disk_bytes_per_span": bytes_per_span,
                "open_and_count_seconds": time.perf_counter() - began,
            }
        )
    return found


def _stream(settings: Settings, files: tuple[Path, ...]) -> Any:
    arguments = [part for path in files for part in ("--files", str(path))]
    return Worker(settings.home, "--source", "files", *arguments, "--until-end").wait()

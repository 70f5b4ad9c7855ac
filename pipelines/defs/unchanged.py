"""What the last refresh found, for one that has nothing to do: kept in ``HOME/dagster/refreshed.json``.

To find that nothing is new, the marts' own marks are enough, but to ask them takes Dagster, the warehouse and seconds of CPU. So
a refresh in whose time no fact came leaves what the catalog's files looked like when it ended. As long as they look so, and the
software and the settings do too, there is nothing that another one could find. For an hour: then the next refresh is
recorded in Dagster's history again, whose freshness policies ask for that (`pipelines.defs.assets.FRESHNESS`).
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipelines.defs.refresh import RefreshResult
from pipelines.settings import Settings

#: For how long what a refresh found is given again without one.
KEPT_S = 3600.0
_FILE = "refreshed.json"
#: Two commits so close may leave the same time on a file.
_TICK_S = 0.05
_ROOT = Path(__file__).resolve().parents[2]


def found_last(settings: Settings) -> RefreshResult | None:
    """What the last refresh found, where another would find the same; None where that is not known."""
    with suppress(OSError, ValueError, TypeError, KeyError):
        noted = json.loads(_file(settings).read_text(encoding="utf-8"))
        age = time.time() - noted["at"]
        if 0 <= age < KEPT_S and noted["state"] == _state(settings):
            return RefreshResult(
                rows=noted["result"]["rows"],
                failed_checks=(),
                warnings=tuple(noted["result"]["warnings"]),
                run_id=noted["result"]["run_id"],
            )
    return None


def note(settings: Settings, result: RefreshResult) -> None:
    """Keep what a refresh found that has just ended, if no fact came meanwhile and every check passed."""
    if result.failed_checks or not result.is_undisturbed:
        return
    file = _file(settings)
    with suppress(OSError):
        time.sleep(_TICK_S)  # what is committed from here on leaves another time
        state = _state(settings)
        new = file.with_suffix(f".{os.getpid()}")
        new.write_text(json.dumps({"at": time.time(), "state": state, "result": asdict(result)}), encoding="utf-8")
        new.replace(file)


def _file(settings: Settings) -> Path:
    return settings.home / "dagster" / _FILE


def _state(settings: Settings) -> str:
    """The same as long as no file of the lake's catalog, of the software or of what the command was told has changed."""
    given = {
        "run_timeout_seconds": settings.run_timeout_seconds,
        "alarm_budget_per_week": settings.alarm_budget_per_week,
        "catalog": settings.catalog.read_text(encoding="utf-8") if settings.catalog is not None else None,
    }
    looks = [_look(settings.warehouse / name) for name in ("catalog.sqlite", "catalog.sqlite-wal")]
    told = json.dumps([given, looks, [_look(file) for file in _software()]], default=str)
    return hashlib.sha256(told.encode()).hexdigest()


def _look(file: Path) -> list[Any]:
    """Name, size and times of a file; a log that is empty is as good as none."""
    with suppress(FileNotFoundError):
        found = file.stat()
        if found.st_size:
            return [str(file), found.st_ino, found.st_size, found.st_mtime_ns]
    return [str(file)]


def _software() -> Iterator[Path]:
    """What makes marts and checks: code and models."""
    for package in ("pipelines", "warehouse", "detectors"):
        for folder, _, names in sorted(os.walk(_ROOT / package)):
            yield from (Path(folder, name) for name in sorted(names) if name.endswith((".py", ".sql", ".csv", ".json")))

"""The machine and the versions that a figure was measured with: without them it says nothing."""

from __future__ import annotations

import os
import platform
import time
from importlib.metadata import version
from pathlib import Path

_PACKAGES = ("duckdb", "polars", "pyarrow", "ptars", "kafka-python", "numba")


def machine() -> dict[str, object]:
    """Return CPU, cores, memory (GiB), system, Python and package versions; the load and the yardstick (s) when asked.

    The yardstick is the best of three times for ten million additions in Python: a rented machine can be half as fast on
    one day as on another, and its load does not say so.
    """
    return {
        "cpu": _of("/proc/cpuinfo", "model name") or platform.processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "packages": {name: version(name) for name in _PACKAGES},
        "load_before": round(os.getloadavg()[0], 2),
        "yardstick_seconds": round(min(_yardstick() for _ in range(3)), 2),
    }


def _yardstick() -> float:
    begun, total = time.perf_counter(), 0
    for number in range(10_000_000):
        total += number
    return time.perf_counter() - begun


def _of(file: str, name: str) -> str:
    path = Path(file)
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(name)), "")

"""A process that answers analysts: out of the stream's way, and never a danger to the host.

What the engine counts as memory is bounded by `warehouse.Bounds`. Not counted are texts and lists while they are made, and what
is made of a result afterwards: a statement under a limit of 256 MiB took 4 GiB. So the process itself is bounded: an allocation
beyond ends the statement, in one line, and the process goes on.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from pipelines.priority import give_way
from pipelines.settings import Settings
from warehouse import Limits

_MIB = 1 << 20
#: What a statement may use that the engine does not count, and what this program needs itself beyond its start.
_HEADROOM_MB = 1024


def confine(settings: Settings, *, slots: int = 1) -> None:
    """Give this process the priority and the memory of one that answers analysts; for good.

    Linux counts the private memory that it may write (``RLIMIT_DATA``): what is mapped and shared, and address space that is
    only reserved, is free. Where the system has no such limit, only the priority is lowered.

    Parameters
    ----------
    slots : int
        Statements that it answers at once.
    """
    give_way(settings.query_nice)
    used = _private_mb()
    if used is None:
        return
    import resource  # here: Windows has none

    least = slots * settings.query_memory_mb + settings.query_result_mb + _HEADROOM_MB
    allowed = (used + (settings.query_process_mb or least)) * _MIB
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    if hard != resource.RLIM_INFINITY:
        allowed = min(allowed, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (allowed, hard))


def reading_limits() -> Limits:
    """Half the cores for one analyst's statement, so that a stream on this machine keeps the others."""
    return Limits(threads=max(1, (os.cpu_count() or 2) // 2))


def _private_mb() -> int | None:
    """Private writable memory of this process in MiB, as ``RLIMIT_DATA`` counts it; None where the system does not say."""
    try:
        found = re.search(r"VmData:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="utf-8"))
    except OSError:
        return None
    return int(found[1]) // 1024 if found else None

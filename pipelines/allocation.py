"""Whether allocators keep freed memory for the next batch, or give it back: they read that when they are loaded.

To be called before anything that allocates in earnest is imported.
"""

from __future__ import annotations

import ctypes
import os
import sys

#: glibc's malloc.h: mallopt's parameters.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
_KEPT_BYTES = 2**30
#: Polars' allocator (jemalloc) reads this when it is loaded; pages go back to the system after these milliseconds.
_JEMALLOC = "dirty_decay_ms:10000,muzzy_decay_ms:10000"


def keep_freed_memory() -> None:
    """Have the memory of one batch kept for the next: to give it back and fault it in again cost a fifth of a stream's time.

    What the environment says already stays as it is, and other systems do without.
    """
    os.environ.setdefault("_RJEM_MALLOC_CONF", _JEMALLOC)
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # musl
        return
    for variable, parameter, value in (
        ("MALLOC_TRIM_THRESHOLD_", _TRIM_THRESHOLD, _KEPT_BYTES),
        ("MALLOC_MMAP_THRESHOLD_", _MMAP_THRESHOLD, _KEPT_BYTES),
        ("MALLOC_ARENA_MAX", _ARENA_MAX, 2),
    ):
        if variable not in os.environ:
            mallopt(parameter, value)


def give_back_freed_memory() -> None:
    """Have DuckDB's allocator give back the address space of what it frees, in a process whose memory is bounded.

    Space that is kept counts against the bound: once a statement had reached it, no thread could be started any more, and a
    server refused all others for good. Costs a statement that allocates much some 5 %.
    """
    os.environ.setdefault("DUCKDB_JE_MALLOC_CONF", "retain:false")

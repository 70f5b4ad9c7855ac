"""Keep the memory of one batch for the next: giving it back and faulting it in again cost a fifth of the stream's time.

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
    """Tell the allocators of this process; what the environment says already stays as it is, and other systems do without."""
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

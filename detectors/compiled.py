"""The one place where Python meets Numba: how a sequential kernel is compiled.

Numba's on-disk cache notices a change in the file of the kernel, not in the files of what the kernel calls. So a kernel
and every compiled function that it calls live in the same module (a test enforces it); otherwise an upgrade could run
yesterday's machine code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, Protocol, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S", covariant=True)


class Table(Protocol[S]):
    """What a kernel sees of `detectors.state.records`: by its number, the record of a stream."""

    def __len__(self) -> int: ...

    def __getitem__(self, number: Any, /) -> S: ...


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function` on its first call, cache the machine code beside its file, release the GIL while it runs."""
    decorate = cast(Callable[[Callable[..., Any]], Any], numba.njit(cache=True, nogil=True, error_model="numpy"))  # pyright: ignore[reportUnknownMemberType]
    return cast(Callable[P, R], decorate(function))

"""The one place where Python meets Numba: how a sequential kernel is compiled.

Numba's on-disk cache notices a change in the file of the kernel, not in the files of what the kernel calls. So a kernel
and every compiled function that it calls live in the same module (a test enforces it); otherwise an upgrade could run
yesterday's machine code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, Protocol, TypeVar, cast

import numba
import numpy as np
from llvmlite import ir  # pyright: ignore[reportMissingTypeStubs]  # Numba's own
from numba.core import cgutils, types
from numba.extending import intrinsic, overload
from numpy.typing import NDArray

CACHE_LINE = 64  # bytes
AHEAD = 8  # observations before its own that a stream is fetched: from 6 to 16 it makes no difference
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


def fetch(table: Table[Any], slots: NDArray[np.int64], row: int) -> None:
    """Have the stream of an observation some rows on its way to the processor's cache while it works on this one.

    A fleet's state is greater than any cache, and the next stream is nowhere near this one: waiting for it took half of the time.
    No result depends on this, so it need not be in the kernel's file; where kernels are interpreted it does nothing.
    """


@intrinsic
def _fetch(_: Any, table: Any, number: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        size = signature.args[0].dtype.size
        byte = ir.IntType(8).as_pointer()
        memory = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        record = builder.gep(
            builder.bitcast(memory, byte), [builder.mul(arguments[1], ir.Constant(ir.IntType(64), size))]
        )
        flag = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, flag, flag, flag])
        prefetch = cast(Any, cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0"))  # pyright: ignore[reportUnknownMemberType]
        for line in range(0, size, CACHE_LINE):
            # To write, into every level, data.
            told = [ir.Constant(flag, how) for how in (1, 3, 1)]
            builder.call(prefetch, [builder.gep(record, [ir.Constant(ir.IntType(64), line)]), *told])
        return context.get_dummy_value()

    return types.void(table, number), generate


@overload(fetch)
def _compiled_fetch(table: Any, slots: Any, row: Any) -> Any:
    def forward(table: Any, slots: Any, row: Any) -> Any:
        if row + AHEAD < len(slots):
            _fetch(table, slots[row + AHEAD])  # pyright: ignore[reportCallIssue]  # Numba gives the context

    return forward

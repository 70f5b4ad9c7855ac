"""Text for codes: a vocabulary that stays, and the text of one request file's slice (ids, arguments) that goes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from .template import Shape

_PASSING = 1 << 30
_HEX = np.frombuffer("".join(f"{byte:02x}" for byte in range(256)).encode(), dtype=np.uint8).reshape(256, 2)


class Texts:
    """Codes for text. Codes from :meth:`passing` hold until :meth:`forget`, all others for good."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}
        self._parts: list[pa.Array] = []
        self._count = 0

    def code(self, text: str) -> int:
        """Return the code of one text of the vocabulary."""
        return self._codes.setdefault(text, len(self._codes))

    def codes(self, texts: Iterable[str]) -> NDArray[np.int32]:
        """Return the codes of texts of the vocabulary."""
        return np.array([self.code(text) for text in texts], dtype=np.int32)

    def passing(self, texts: pa.Array) -> NDArray[np.int32]:
        """Return a code for each of these texts, good until :meth:`forget`."""
        first = _PASSING + self._count
        self._parts.append(texts)
        self._count += len(texts)
        return np.arange(first, first + len(texts), dtype=np.int32)

    def forget(self) -> None:
        """Drop the passing texts."""
        self._parts, self._count = [], 0

    def take(self, codes: NDArray[np.int32]) -> pa.Array:
        """Return the texts of the codes, null where a code is negative."""
        pool = pa.concat_arrays([pa.array(self._codes, pa.string()), *self._parts])
        places = np.where(codes >= _PASSING, codes - _PASSING + len(self._codes), codes)
        return pool.take(pa.array(places, mask=codes < 0) if (codes < 0).any() else pa.array(places))


def hexadecimal(prefix: str, numbers: NDArray[np.uint64]) -> pa.Array:
    """Return ``prefix`` and the 16 hexadecimal digits of each number.

    Examples
    --------
    >>> hexadecimal("call_", np.array([255], dtype=np.uint64)).to_pylist()
    ['call_00000000000000ff']
    """
    width = len(prefix) + 16
    cells = np.empty((len(numbers), width), dtype=np.uint8)
    cells[:, : len(prefix)] = np.frombuffer(prefix.encode(), dtype=np.uint8)
    cells[:, len(prefix) :] = _HEX[numbers.astype(">u8").view(np.uint8).reshape(-1, 8)].reshape(-1, 16)
    offsets = np.arange(len(numbers) + 1, dtype=np.int32) * width
    return pa.StringArray.from_buffers(len(numbers), pa.py_buffer(offsets), pa.py_buffer(cells))


def fixed_binary(*words: NDArray[np.uint64], present: NDArray[np.bool_] | None = None) -> pa.Array:
    """Return the big-endian bytes of each row of words; empty where not ``present``."""
    cells = np.stack(words, axis=1).astype(">u8").view(np.uint8)
    lengths = np.full(len(cells), cells.shape[1], np.int32)
    if present is not None:
        cells, lengths = cells[present], np.where(present, lengths, 0)
    offsets = np.zeros(len(lengths) + 1, dtype=np.int32)
    np.cumsum(lengths, out=offsets[1:])
    return pa.BinaryArray.from_buffers(
        pa.binary(), len(lengths), [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(cells))]
    )


def arguments(shape: Shape, draw: NDArray[np.uint64]) -> pa.Array:
    """Return the JSON text of tool arguments of one shape, its numbers taken from the drawn bits.

    Examples
    --------
    >>> arguments(('{"order":"A-', 1000, '"}'), np.array([41], dtype=np.uint64)).to_pylist()
    ['{"order":"A-141"}']
    """
    parts: list[pa.Array | pa.Scalar] = []
    rest = draw
    for part in shape:
        if isinstance(part, str):
            parts.append(pa.scalar(part))
        else:
            rest, number = np.divmod(rest, np.uint64(part - part // 10))
            parts.append(pc.cast(pa.array(number + np.uint64(part // 10)), pa.string()))
    return pc.call_function("binary_join_element_wise", [*parts, pa.scalar("")])

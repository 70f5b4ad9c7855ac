"""State as arrays: room for more streams, a fresh start for some, and to and from versioned bytes."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any, TypeAlias, cast

import numpy as np
import zstandard
from numpy.typing import NDArray

from detectors.errors import StateError

Layout: TypeAlias = Mapping[str, tuple[tuple[int, ...], str]]
Arrays: TypeAlias = dict[str, NDArray[Any]]

MAGIC = b"PLMB"
VERSION = 4
CACHE_LINE = 64  # bytes
PREFIX = struct.Struct(">4sHI")  # magic, version, length of the JSON header


def blank(layout: Layout, streams: int) -> Arrays:
    """Give zeroed arrays of `layout` for so many streams."""
    return {name: np.zeros((streams, *shape), dtype) for name, (shape, dtype) in layout.items()}


def records(layout: Layout, streams: int) -> Any:
    """Give zeroed records of `layout`, an `np.recarray` of shape (streams,): what a stream has stands together in memory.

    An update touches nearly all of a stream's state. With an array for each field that is a cache line for each of
    twenty fields; with records it is six in a row, which the processor fetches ahead (measured: three times the speed in
    the order of streams, four times in random order).
    """
    largest_first = sorted(layout.items(), key=lambda item: -np.dtype(item[1][1]).itemsize)
    packed = np.dtype([(name, dtype, shape) for name, (shape, dtype) in largest_first], align=True)
    whole_lines = -(-packed.itemsize // CACHE_LINE) * CACHE_LINE
    fields = packed.fields or {}
    form = np.dtype(
        {
            "names": list(fields),
            "formats": [field[0] for field in fields.values()],
            "offsets": [field[1] for field in fields.values()],
            "itemsize": whole_lines,
        },
        align=True,
    )
    return np.zeros(streams, form).view(np.recarray)


def columns(table: Any) -> Arrays:
    """Give each field of `records` as an array that shares their memory."""
    return {name: np.asarray(table[name]) for name in table.dtype.names}


def resized(arrays: Mapping[str, NDArray[Any]], streams: int) -> Arrays:
    """Give the same arrays with room for `streams`; new streams are zero."""
    grown: Arrays = {}
    for name, array in arrays.items():
        target = np.zeros((streams, *array.shape[1:]), array.dtype)
        kept = min(streams, len(array))
        target[:kept] = array[:kept]
        grown[name] = target
    return grown


def encode(header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Pack `header` (JSON) and `arrays` into bytes that start with the format's version.

    The bytes of each array go column by column (all first bytes, then all second ones), which halves what zstd leaves.
    """
    listing = [[name, array.dtype.str, list(array.shape)] for name, array in arrays.items()]
    text = json.dumps({"header": header, "arrays": listing}, separators=(",", ":"), sort_keys=True).encode()
    packer = zstandard.ZstdCompressor(level=1).compressobj()
    parts = [PREFIX.pack(MAGIC, VERSION, len(text)), packer.compress(text)]
    for array in arrays.values():
        flat = np.ascontiguousarray(array).reshape(-1).view(np.uint8).reshape(-1, array.dtype.itemsize)
        parts.append(packer.compress(flat.T.tobytes()))
    parts.append(packer.flush())
    return b"".join(parts)


def decode(data: bytes) -> tuple[dict[str, Any], Arrays]:
    """Give header and arrays back.

    Raises
    ------
    StateError
        The bytes are not a state, are cut short, or are of another version.
    """
    start_over = "remove this checkpoint; the streams learn their reference anew"
    if len(data) < PREFIX.size or data[:4] != MAGIC:
        raise StateError("not a detector state", todo=start_over)
    _, version, length = PREFIX.unpack_from(data)
    if version != VERSION:
        raise StateError(
            f"detector state of version {version}, this program reads version {VERSION}",
            todo="run the version that wrote it, or " + start_over,
        )
    try:
        payload = zstandard.ZstdDecompressor().decompressobj().decompress(data[PREFIX.size :])
        document = cast(dict[str, Any], json.loads(payload[:length]))
        arrays: Arrays = {}
        at = length
        for name, dtype, shape in cast(list[tuple[str, str, list[int]]], document["arrays"]):
            kind = np.dtype(dtype)
            count = int(np.prod(shape))
            flat = np.frombuffer(payload, np.uint8, count * kind.itemsize, at).reshape(kind.itemsize, count)
            arrays[name] = flat.T.copy(order="C").reshape(-1).view(kind).reshape(shape)
            at += count * kind.itemsize
        return cast(dict[str, Any], document["header"]), arrays
    except (zstandard.ZstdError, ValueError, KeyError, TypeError) as error:
        raise StateError("damaged detector state", str(error), start_over) from error

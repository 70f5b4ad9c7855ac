"""State to and from versioned bytes: what differs between streams, byte by byte, in frames that are compressed apart.

Generic over records: a field that a kernel adds needs nothing here. `detectors.monitor` says what belongs to a state.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import zstandard
from numpy.typing import NDArray

from detectors.errors import StateError
from detectors.kernels.packing import from_places, from_planes, to_places, to_planes, varying
from detectors.state import CACHE_LINE, Arrays, described, fields_of, form_of

MAGIC = b"PLMB"
VERSION = 4
PREFIX = struct.Struct(">4sHI")  # magic, version, length of the compressed index
ROWS = 8192  # records that one thread turns at a time; the times of each such block stand by themselves
FRAME = 32_768  # bytes from which planes are compressed together: a table of codes for each kind of byte
THREADS = 2  # a checkpoint is a moment's work, beside which decoding goes on
SECOND = 1_000_000  # microseconds
TIME = 8 + 4  # bytes of a time: seconds, and the microseconds besides
START_OVER = "remove this checkpoint; the streams learn their reference anew"


@dataclass(frozen=True, slots=True)
class _Rows:
    """An array as rows of bytes: what differs between its rows, and so has to be written."""

    rows: NDArray[np.uint8]  # (n, width)
    first: NDArray[np.uint8]  # (1, width), (0, width) where there is no row: the first row, without what is no field
    times: NDArray[np.int64]  # words of a row that are times
    chosen: NDArray[np.int64]  # other bytes of a row that vary


def _rows_of(array: NDArray[Any]) -> _Rows:
    form = array.dtype
    if form.names is None:
        rows = np.ascontiguousarray(array).reshape(-1).view(np.uint8).reshape(-1, form.itemsize)
        differs = (rows != rows[:1]).any(axis=0)
        return _Rows(rows, rows[:1], np.zeros(0, np.int64), np.flatnonzero(differs))
    rows = np.ndarray((len(array), form.itemsize), np.uint8, np.ascontiguousarray(array))
    bits = varying(rows.view(np.uint64)) if len(rows) else np.zeros(form.itemsize // 8, np.uint64)
    differs = bits.view(np.uint8) > 0
    known, times = np.zeros(form.itemsize, bool), np.zeros(form.itemsize // 8, bool)
    for name, kind, at in fields_of(form):
        known[at : at + kind.itemsize] = True
        if name.endswith("_at") and kind.base == np.int64:
            times[at // 8 : (at + kind.itemsize) // 8] = True
    times &= bits > 0
    chosen = differs & known & ~np.repeat(times, 8)
    return _Rows(rows, rows[:1] * known, np.flatnonzero(times), np.flatnonzero(chosen))


def _blocks(n: int) -> Iterator[tuple[int, int]]:
    return ((first, min(first + ROWS, n)) for first in range(0, n, ROWS))


def _turned(found: _Rows, pool: ThreadPoolExecutor) -> tuple[list[NDArray[np.uint8]], list[int]]:
    """Give the planes of bytes of an array (what varies, places of times, the new times), and the new times of each block."""
    n, words = len(found.rows), found.rows.view(np.uint64) if len(found.times) else np.zeros((0, 0), np.uint64)
    planes = np.empty((len(found.chosen), n), np.uint8)
    places = np.empty((len(found.times), n), np.uint8)

    def turn(block: tuple[int, int]) -> NDArray[np.uint64]:
        to_planes(found.rows, found.chosen, planes, *block)
        new = np.empty(len(found.times) * (block[1] - block[0]), np.uint64)
        return new[: to_places(words, found.times, places, new, *block)] if len(found.times) else new

    new = list(pool.map(turn, _blocks(n)))
    every = np.concatenate(new).view(np.int64) if new else np.zeros(0, np.int64)
    seconds = every // SECOND  # apart, as most times are whole seconds
    parts = [seconds, (every - seconds * SECOND).astype(np.int32)]
    bytes_ = [part.view(np.uint8).reshape(-1, part.itemsize).T for part in parts]
    return [planes, places, np.concatenate(bytes_)], [len(one) for one in new]


def encode(header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Pack `header` (JSON) and `arrays`, of numbers or of `records`, into bytes that start with the format's version.

    Of each array the first row is written, and of the others the bytes in which any differs, byte by byte over all rows
    (all first bytes, then all second ones). Times (int64 fields named ``…_at``) are written as places among the last
    different ones.
    """
    sections: list[dict[str, Any]] = []
    blobs: list[NDArray[np.uint8]] = []
    with ThreadPoolExecutor(THREADS) as pool:
        for name, array in arrays.items():
            found = _rows_of(array)
            planes, counts = _turned(found, pool)
            form = array.dtype.str if array.dtype.names is None else described(array.dtype)
            sections.append(
                {
                    "name": name,
                    "form": form,
                    "shape": array.shape,
                    "bytes": found.chosen.tolist(),
                    "times": found.times.tolist(),
                    "new": counts,
                }
            )
            blobs += [found.first, *planes]
    sizes = [size for blob in blobs for size in _frames(*blob.shape)]
    frames = _compressed(blobs, sizes)
    document = {"header": header, "sections": sections, "frames": [len(frame) for frame in frames]}
    text = json.dumps(document, separators=(",", ":"), sort_keys=True).encode()
    index = zstandard.ZstdCompressor(level=1).compress(text)
    return b"".join([PREFIX.pack(MAGIC, VERSION, len(index)), index, *frames])


def _frames(planes: int, n: int) -> list[int]:
    """Lengths of the frames of so many planes of `n` bytes each."""
    if n == 0 or planes == 0:
        return []
    together = max(1, FRAME // n)
    whole, rest = divmod(planes, together)
    return [together * n] * whole + [rest * n] * (rest > 0)


def _compressed(blobs: list[NDArray[np.uint8]], sizes: list[int]) -> list[memoryview]:
    if not sizes:
        return []
    ends = np.cumsum(np.array(sizes, np.uint64))
    segments = np.stack([ends - np.array(sizes, np.uint64), np.array(sizes, np.uint64)], axis=1)
    whole = np.concatenate([blob.reshape(-1) for blob in blobs])
    given = zstandard.BufferWithSegments(whole.tobytes(), segments.tobytes())
    packer = zstandard.ZstdCompressor(level=1)
    packed: Any = packer.multi_compress_to_buffer(given, threads=THREADS)
    return [memoryview(frame) for frame in packed]


def decode(data: bytes) -> tuple[dict[str, Any], Arrays]:
    """Give header and arrays back.

    Raises
    ------
    StateError
        The bytes are not a state, are cut short, or are of another version.
    """
    if len(data) < PREFIX.size or data[:4] != MAGIC:
        raise StateError("not a detector state", todo=START_OVER)
    _, version, length = PREFIX.unpack_from(data)
    if version != VERSION:
        raise StateError(
            f"detector state of version {version}, this program reads version {VERSION}",
            todo="run the version that wrote it, or " + START_OVER,
        )
    try:
        begin = PREFIX.size + length
        document = json.loads(zstandard.ZstdDecompressor().decompress(data[PREFIX.size : begin]))
        return cast(dict[str, Any], document["header"]), _restored(document, data[begin:])
    except (zstandard.ZstdError, ValueError, KeyError, TypeError, IndexError, OverflowError, MemoryError) as error:
        raise StateError("damaged detector state", str(error), START_OVER) from error


def _restored(document: dict[str, Any], data: bytes) -> Arrays:
    sections = cast(list[dict[str, Any]], document["sections"])
    shapes = [shape for section in sections for shape in _shapes(section)]
    sizes = [size for shape in shapes for size in _frames(*shape)]
    whole = _decompressed(data, cast(list[int], document["frames"]), sizes)
    if len(whole) != sum(planes * n for planes, n in shapes):
        raise ValueError("too few bytes")
    parts: list[NDArray[np.uint8]] = []
    at = 0
    for planes, n in shapes:
        parts.append(whole[at : at + planes * n].reshape(planes, n))
        at += planes * n
    arrays: Arrays = {}
    with ThreadPoolExecutor(THREADS) as pool:
        for number, section in enumerate(sections):
            arrays[section["name"]] = _filled(section, parts[4 * number : 4 * number + 4], pool)
    return arrays


def _blank(section: dict[str, Any]) -> tuple[NDArray[Any], int]:
    """An array as the section describes it, not filled in, and how many bytes a row of it has."""
    form, shape = section["form"], tuple(int(size) for size in section["shape"])
    kind = np.dtype(form) if isinstance(form, str) else form_of(form)
    if kind.names is not None and kind.itemsize % CACHE_LINE:
        raise ValueError("records of another length")
    return np.zeros(shape, kind), kind.itemsize


def _shapes(section: dict[str, Any]) -> list[tuple[int, int]]:
    """Planes and their length: the first row, what varies, places of times, new times."""
    form, shape = section["form"], cast(list[int], section["shape"])
    n = int(np.prod(shape)) if isinstance(form, str) else shape[0]
    width = _blank({**section, "shape": [0]})[1]
    return [
        (min(n, 1), width),
        (len(section["bytes"]), n),
        (len(section["times"]), n),
        (TIME, sum(section["new"])) if sum(section["new"]) else (0, 0),
    ]


def _decompressed(data: bytes, frames: list[int], sizes: list[int]) -> NDArray[np.uint8]:
    if len(frames) != len(sizes) or sum(frames) != len(data):
        raise ValueError("cut short")
    if not frames:
        return np.zeros(0, np.uint8)
    lengths = np.array(frames, np.uint64)
    segments = np.stack([np.cumsum(lengths) - lengths, lengths], axis=1)
    given = zstandard.BufferWithSegments(data, segments.tobytes())
    wanted = np.array(sizes, np.uint64)
    found: Any = zstandard.ZstdDecompressor().multi_decompress_to_buffer(
        given, decompressed_sizes=wanted.tobytes(), threads=THREADS
    )
    return np.concatenate([np.frombuffer(frame, np.uint8) for frame in found])


def _filled(section: dict[str, Any], parts: list[NDArray[np.uint8]], pool: ThreadPoolExecutor) -> NDArray[Any]:
    first, planes, places, new = parts
    array, width = _blank(section)
    rows = np.ndarray((array.nbytes // width if width else 0, width), np.uint8, array)
    if len(rows) == 0:
        return array
    rows[:] = first
    chosen, times = (np.array(section[name], np.int64) for name in ("bytes", "times"))
    if len(chosen) and not (chosen.min() >= 0 and chosen.max() < width):
        raise ValueError("a byte outside its row")
    if len(times) and not (times.min() >= 0 and 8 * times.max() < width):
        raise ValueError("a time outside its row")
    words = rows.view(np.uint64) if len(times) else np.zeros((0, 0), np.uint64)
    seconds, rest = (np.ascontiguousarray(part.T).reshape(-1) for part in (new[:8], new[8:]))
    every = (seconds.view(np.int64) * SECOND + rest.view(np.int32)).view(np.uint64)
    ends = np.cumsum(section["new"])

    def fill(numbered: tuple[int, tuple[int, int]]) -> bool:
        number, block = numbered
        from_planes(planes, chosen, rows, *block)
        if not len(times):
            return True
        mine = every[int(ends[number]) - section["new"][number] : int(ends[number])]
        return from_places(places, mine, times, words, *block) == len(mine)

    if not all(pool.map(fill, enumerate(_blocks(len(rows))))):
        raise ValueError("times do not fit")
    return array

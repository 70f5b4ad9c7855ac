"""State to and from versioned bytes: the planes of its arrays, in frames that are compressed apart.

Generic over records: a field that a kernel adds needs nothing here. `detectors.monitor` says what belongs to a state,
`detectors.planes` what of an array is written.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate, pairwise
from typing import Any, cast

import numpy as np
import zstandard
from numpy.typing import NDArray

from detectors.errors import StateError
from detectors.planes import Bytes, Planes, filled, lengths_of
from detectors.state import Arrays

MAGIC = b"PLMB"
VERSION = 6
READ = (4, 5, VERSION)  # 4 had no words with a bit for each row, 5 other records of mixes (`detectors.earlier`)
PREFIX = struct.Struct(">4sHI")  # magic, version, length of the compressed index
FRAME = 32_768  # bytes from which planes are compressed together: a table of codes for each kind of byte
THREADS = 2  # a checkpoint is a moment's work, beside which decoding goes on
START_OVER = "remove this checkpoint; the streams learn their reference anew"


def encode(header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Pack `header` (JSON) and `arrays`, of numbers or of `records`, into bytes that start with the format's version."""
    planes = [Planes(name, array) for name, array in arrays.items()]
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(Planes.look, *_jobs([one for one in planes if one.records])))
        for one in planes:
            one.cut()
        begins = [0, *accumulate(one.room for one in planes)]
        flat = np.empty(begins[-1], np.uint8)
        for one, (begin, end) in zip(planes, pairwise(begins), strict=True):
            one.place(flat[begin:end])
        list(pool.map(Planes.turn, *_jobs([one for one in planes if one.varies])))
        list(pool.map(Planes.split, planes))
    sections, places, sizes = [one.told() for one in planes], list[int](), list[int]()
    for section, begin in zip(sections, begins, strict=False):  # the last is where all end
        mine = [size for lengths in lengths_of(section) for size in _frames(lengths)]
        places += [*accumulate(mine, initial=begin)][:-1]
        sizes += mine
    frames = _compressed(flat, places, sizes)
    document = {"header": header, "sections": sections, "frames": [len(frame) for frame in frames]}
    text = json.dumps(document, separators=(",", ":"), sort_keys=True).encode()
    index = zstandard.ZstdCompressor(level=1).compress(text)
    return b"".join([PREFIX.pack(MAGIC, VERSION, len(index)), index, *frames])


def _jobs(planes: list[Planes]) -> tuple[list[Planes], list[int]]:
    """Give array and number of each block of these arrays."""
    return (
        [one for one in planes for _ in one.blocks],
        [number for one in planes for number in range(len(one.blocks))],
    )


def _frames(lengths: list[int]) -> list[int]:
    """Lengths of the frames of planes that are so long: some short ones share one, a long one has its own."""
    sizes: list[int] = []
    for length in filter(None, lengths):
        if sizes and sizes[-1] + length <= FRAME:
            sizes[-1] += length
        else:
            sizes.append(length)
    return sizes


def _compressed(flat: Bytes, places: list[int], sizes: list[int]) -> list[memoryview]:
    if not sizes:
        return []
    segments = np.array([places, sizes], np.uint64).T.copy()
    # Planes are noise or hardly anything: looking for more than long repetitions takes time and finds none.
    how = zstandard.ZstdCompressionParameters(strategy=zstandard.STRATEGY_FAST, window_log=17, hash_log=6, min_match=7)
    packer = zstandard.ZstdCompressor(compression_params=how)
    given: Any = zstandard.BufferWithSegments(cast(Any, flat), cast(Any, segments))
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
    if version not in READ:
        raise StateError(
            f"detector state of version {version}, this program reads version {READ[0]} to {VERSION}",
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
    lengths = [part for section in sections for part in lengths_of(section)]
    whole = _decompressed(
        data, cast(list[int], document["frames"]), [size for part in lengths for size in _frames(part)]
    )
    ends = np.cumsum([sum(part) for part in lengths], dtype=np.int64)
    if len(whole) != (ends[-1] if lengths else 0):
        raise ValueError("too few bytes")
    parts = np.split(whole, ends)
    with ThreadPoolExecutor(THREADS) as pool:
        given = [filled(section, parts[5 * number : 5 * number + 5], pool) for number, section in enumerate(sections)]
    for _, check in given:
        check()
    return {section["name"]: array for section, (array, _) in zip(sections, given, strict=True)}


def _decompressed(data: bytes, frames: list[int], sizes: list[int]) -> Bytes:
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

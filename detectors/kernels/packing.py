"""Records to planes of bytes and back: what one byte of all streams is stands together, and so takes little room.

`detectors.state` gives these kernels the memory of records as words of eight bytes, and compresses what they give.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detectors.compiled import compiled

TILE = 32  # rows that are turned at a time: their cache lines stay in the first level
REMEMBERED = 254  # different times that a place can name
NONE, NEW = 254, 255  # places of what is 0 and of what is not remembered
_BUCKETS = 4096
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(52)  # leaves the twelve bits of `_BUCKETS`


@compiled
def varying(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Give for each word of a row the bits in which any row differs from the first."""
    rows, width = words.shape
    found = np.zeros(width, np.uint64)
    for row in range(1, rows):
        for word in range(width):
            found[word] |= words[row, word] ^ words[0, word]
    return found


@compiled
def to_planes(
    rows: NDArray[np.uint8], chosen: NDArray[np.int64], planes: NDArray[np.uint8], first: int, last: int
) -> None:
    """Write the `chosen` bytes of the rows from `first` to before `last` into `planes`, shape (chosen, n)."""
    for begin in range(first, last, TILE):
        end = min(begin + TILE, last)
        for plane in range(len(chosen)):
            byte = chosen[plane]
            for row in range(begin, end):
                planes[plane, row] = rows[row, byte]


@compiled
def from_planes(
    planes: NDArray[np.uint8], chosen: NDArray[np.int64], rows: NDArray[np.uint8], first: int, last: int
) -> None:
    """Write `planes` back where `to_planes` found them."""
    for begin in range(first, last, TILE):
        end = min(begin + TILE, last)
        for plane in range(len(chosen)):
            byte = chosen[plane]
            for row in range(begin, end):
                rows[row, byte] = planes[plane, row]


@compiled
def to_places(
    words: NDArray[np.uint64],
    chosen: NDArray[np.int64],
    places: NDArray[np.uint8],
    new: NDArray[np.uint64],
    first: int,
    last: int,
) -> int:
    """Write the `chosen` words of the rows from `first` to before `last` as places among the last different ones.

    Gives how many were `new`; 0 has a place of its own, for it is no time.

    Streams of one workflow have their times from the same runs, so few of them are new. A place is how many different ones
    came since, `NEW` stands for the next of `new`, `NONE` for 0.

    Parameters
    ----------
    words : (n, width) uint64
    chosen : (k,) int64
    places : (k, n) uint8, written
    new : (k x n,) uint64, written
        From its beginning, whatever `first` is.
    """
    memory = np.zeros(256, np.uint64)
    where = np.zeros(_BUCKETS, np.int64)  # how many had come when this one came, 0 is none
    count = 0
    for row in range(first, last):
        for column in range(len(chosen)):
            value = words[row, chosen[column]]
            if value == 0:
                places[column, row] = NONE
                continue
            bucket = (value * _SPREAD) >> _SHIFT
            at = where[bucket]
            if at > 0 and count - at < REMEMBERED and memory[at & 255] == value:
                places[column, row] = count - at
            else:
                places[column, row] = NEW
                new[count] = value
                count += 1
                memory[count & 255] = value
                where[bucket] = count
    return count


@compiled
def from_places(
    places: NDArray[np.uint8],
    new: NDArray[np.uint64],
    chosen: NDArray[np.int64],
    words: NDArray[np.uint64],
    first: int,
    last: int,
) -> int:
    """Write the words back that `to_places` saw; give how many of `new` that took, -1 where they do not fit."""
    count = 0
    for row in range(first, last):
        for column in range(len(chosen)):
            place = places[column, row]
            if place == NONE:
                words[row, chosen[column]] = 0
                continue
            if place == NEW:
                if count == len(new):
                    return -1
                count += 1
                place = 0
            if place >= count:
                return -1
            words[row, chosen[column]] = new[count - 1 - place]
    return count

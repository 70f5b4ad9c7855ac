"""Records to planes of bytes and back: what one byte of all streams is stands together, and so takes little room.

`detectors.planes` gives these kernels the memory of records, and `detectors.packed` compresses what they give. Of a word that is
0 in many streams (a category that a mix has not, a tracker at rest) only the others' bytes are in its planes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detectors.compiled import compiled

TILE = 64  # rows that are turned at a time, of each a bit of a mask
REMEMBERED = 254  # different times that a place can name
NONE, NEW = 254, 255  # places of what is 0 and of what is not remembered
_BUCKETS = 4096
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(52)  # leaves the twelve bits of `_BUCKETS`


@compiled
def survey(
    words: NDArray[np.uint32], bits: NDArray[np.uint32], masks: NDArray[np.uint64], first: int, last: int
) -> None:
    """Tell of the rows from `first` to before `last` which bits differ from the first row's, and which words are not 0.

    Parameters
    ----------
    words : (n, width) uint32
    bits : (width,) uint32, written
    masks : (ceil(n / TILE), width) uint64, written
        A bit for each row of a tile, the first row's the lowest.
    """
    width = words.shape[1]
    bits[:] = 0
    for begin in range(first, last, TILE):
        tile = begin // TILE
        masks[tile, :] = 0
        for row in range(begin, min(begin + TILE, last)):
            mine = np.uint64(1) << np.uint64(row - begin)
            for word in range(width):
                value = words[row, word]
                bits[word] |= value ^ words[0, word]
                masks[tile, word] |= mine if value != 0 else np.uint64(0)


@compiled
def to_planes(
    words: NDArray[np.uint32],
    chosen: NDArray[np.int64],
    which: NDArray[np.int64],
    masks: NDArray[np.uint64],
    starts: NDArray[np.int64],
    flat: NDArray[np.uint8],
    first: int,
    last: int,
) -> None:
    """Write the `chosen` bytes of the rows from `first` to before `last` as planes: one byte of all rows, then the next.

    Parameters
    ----------
    words : (n, width) uint32
    chosen : (k,) int64, rising
    which : (k,) int64
        The row of `masks` that says which rows are in the plane; -1: all are.
    masks : (m, ceil(n / TILE)) uint64
    starts : (k,) int64
        Where in `flat` the part of each plane goes that these rows are.
    flat : (bytes,) uint8, written
    """
    at = starts.copy()
    there = np.empty(TILE, np.int64)
    held = np.empty(TILE, np.uint32)
    for begin in range(first, last, TILE):
        end = min(begin + TILE, last)
        found, listed, word = 0, -2, -1
        for plane in range(len(chosen)):
            if which[plane] != listed:
                listed, found = which[plane], 0
                mask = masks[listed, begin // TILE] if listed >= 0 else np.uint64(0xFFFFFFFFFFFFFFFF)
                for row in range(begin, end):
                    there[found] = row
                    found += (mask >> np.uint64(row - begin)) & np.uint64(1)
            if chosen[plane] >> 2 != word:  # one look at a word for all its bytes
                word = chosen[plane] >> 2
                for k in range(found):
                    held[k] = words[there[k], word]
            shift = np.uint32(8 * (chosen[plane] & 3))
            part = flat[at[plane] : at[plane] + found]
            for k in range(found):
                part[k] = (held[k] >> shift) & np.uint32(255)
            at[plane] += found


@compiled
def from_planes(
    rows: NDArray[np.uint8],
    chosen: NDArray[np.int64],
    which: NDArray[np.int64],
    masks: NDArray[np.uint64],
    starts: NDArray[np.int64],
    flat: NDArray[np.uint8],
    first: int,
    last: int,
) -> None:
    """Write planes back where `to_planes` found them: `rows` are its words as bytes, (n, width) uint8."""
    at = starts.copy()
    there = np.empty(TILE, np.int64)
    for begin in range(first, last, TILE):
        end = min(begin + TILE, last)
        found, listed = 0, -1
        for plane in range(len(chosen)):
            byte, to = chosen[plane], at[plane]
            if which[plane] < 0:
                for row in range(begin, end):
                    rows[row, byte] = flat[to + row - begin]
                at[plane] += end - begin
                continue
            if which[plane] != listed:
                listed, found = which[plane], 0
                mask = masks[listed, begin // TILE]
                for row in range(begin, end):
                    there[found] = row
                    found += (mask >> np.uint64(row - begin)) & np.uint64(1)
            for k in range(found):
                rows[there[k], byte] = flat[to + k]
            at[plane] += found


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
    where = np.zeros(_BUCKETS, np.int32)  # how many had come when this one came, 0 is none
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

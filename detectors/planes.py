"""Arrays of the state as planes of bytes and back: what differs between streams, the same byte of all of them together.

`detectors.packed` compresses the planes. Of each array the first row is kept, and of the others the bytes in which any differs;
of a word that is 0 in many rows, a bit for each row and the bytes of the others. Times (int64 fields named ``…_at``) are places
among the last different ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from detectors.kernels.packing import TILE, from_places, from_planes, survey, to_places, to_planes
from detectors.state import CACHE_LINE, described, fields_of, form_of

ROWS = 8192  # records that one thread turns at a time; the times of each such block stand by themselves
SECOND = 1_000_000  # microseconds
TIME = 8 + 4  # bytes of a time: seconds, and the microseconds besides
SPARSE = 1 / 16  # of the rows have 0, from which a word has a bit for each row

Bytes = NDArray[np.uint8]
Numbers = NDArray[np.int64]


def blocks(n: int) -> Iterator[tuple[int, int]]:
    """Give the first row of each block, and the one after its last."""
    return ((first, min(first + ROWS, n)) for first in range(0, n, ROWS))


@dataclass(frozen=True, slots=True)
class Cut:
    """What of an array's rows is written, and where in the planes: what both directions need to know."""

    chosen: Numbers  # (k,): bytes of a row
    which: Numbers  # (k,): row of `masks` for each, -1: in all rows
    masks: NDArray[np.uint64]  # (m, tiles)
    times: Numbers  # (t,): words of eight bytes that are times
    before: Numbers  # (blocks + 1, k): how many rows of each plane come before each block

    @classmethod
    def of(cls, n: int, chosen: Numbers, sparse: Numbers, masks: NDArray[np.uint64], times: Numbers) -> Cut:
        """Give the cut of `n` rows, of which `masks` say for each of the words `sparse` where it is not 0."""
        word = chosen // 4
        place = np.searchsorted(sparse, word)
        which = np.where(np.append(sparse, -1)[place] == word, place, -1)
        ends = np.array([0, *(last for _, last in blocks(n))], np.int64)
        counted = np.bitwise_count(masks).cumsum(axis=1, dtype=np.int64)
        until = np.concatenate([np.zeros((len(masks), 1), np.int64), counted], axis=1)[:, -(-ends // TILE)]
        before = np.where(which < 0, ends[:, None], until.T[:, which] if len(sparse) else 0)
        return cls(chosen, which, masks, times, before)

    @property
    def lengths(self) -> list[int]:
        """Bytes of each plane."""
        return self.before[-1].tolist()

    def starts(self, block: int) -> Numbers:
        """Where each plane's part of a block begins among the bytes of all planes."""
        lengths = self.before[-1]
        return np.cumsum(lengths) - lengths + self.before[block]


def _shared_rows(array: NDArray[Any], width: int) -> Bytes:
    return np.ndarray((array.nbytes // width if width else 0, width), np.uint8, array)


class Planes:
    """One array on its way to bytes: `look` at each block, `cut`, `place`, `turn` each block, `split`."""

    def __init__(self, name: str, array: NDArray[Any]) -> None:
        self.name, self.form, self.shape = name, array.dtype, array.shape
        self._rows = _shared_rows(np.ascontiguousarray(array), array.dtype.itemsize)
        self.n, width = self._rows.shape
        self.blocks = list(blocks(self.n))
        self.records = array.dtype.names is not None
        self._bits = np.zeros((max(len(self.blocks), 1), width // 4), np.uint32)
        self._masks = np.empty((-(-self.n // TILE), width // 4 if self.records else 0), np.uint64)

    def look(self, block: int) -> None:
        """See what differs between the rows of a block; of `records` only, numbers are seen at once."""
        survey(self._rows.view(np.uint32), self._bits[block], self._masks, *self.blocks[block])

    def cut(self) -> None:
        """Choose what is written, once all blocks were looked at."""
        width = self.form.itemsize
        if not self.records:
            numbers = self._rows.view(f"u{width}").reshape(-1)
            bits = np.bitwise_or.reduce(numbers ^ numbers[:1], keepdims=True) if self.n else numbers
            none = np.zeros(0, np.int64)
            self.first = self._rows[:1]
            self.sparse, chosen = none, np.flatnonzero(bits.view(np.uint8))
            self.plan = Cut.of(self.n, chosen, none, np.zeros((0, -(-self.n // TILE)), np.uint64), none)
        else:
            bits = np.bitwise_or.reduce(self._bits, axis=0)
            known, times = np.zeros(width, bool), np.zeros(width // 8, bool)
            for name, kind, at in fields_of(self.form):
                known[at : at + kind.itemsize] = True
                if name.endswith("_at") and kind.base == np.int64:
                    times[at // 8 : (at + kind.itemsize) // 8] = True
            times &= bits.view(np.uint64) > 0
            differs = (bits.view(np.uint8) > 0) & known & ~np.repeat(times, 8)
            zero = self.n - np.bitwise_count(self._masks).sum(axis=0, dtype=np.int64)
            self.sparse = np.flatnonzero(differs.reshape(-1, 4).any(axis=1) & (zero > SPARSE * self.n))
            self.first = self._rows[:1] * known
            self.first.reshape(-1, width // 4, 4)[:, self.sparse] = 0
            masks = np.ascontiguousarray(self._masks[:, self.sparse].T)
            self.plan = Cut.of(self.n, np.flatnonzero(differs), self.sparse, masks, np.flatnonzero(times))
        self._new: list[NDArray[np.uint64]] = [np.zeros(0, np.uint64)] * len(self.blocks)

    @property
    def varies(self) -> bool:
        """Whether any row differs from the first, so that there is something to `turn`."""
        return len(self.plan.chosen) > 0 or len(self.plan.times) > 0

    @property
    def room(self) -> int:
        """Bytes that are written at most."""
        times = len(self.plan.times) * self.n
        return self.first.size + self.plan.masks.nbytes + sum(self.plan.lengths) + times * (1 + TIME)

    def place(self, flat: Bytes) -> None:
        """Write the first row and the masks into `flat`, of `room` bytes; the other parts follow them."""
        sizes = [self.first.size, self.plan.masks.nbytes, sum(self.plan.lengths), len(self.plan.times) * self.n]
        first, masks, self._planes, places, self._times = np.split(flat, np.cumsum(sizes))
        first[:] = self.first.reshape(-1)
        masks[:] = self.plan.masks.view(np.uint8).reshape(-1)
        self._places = places.reshape(len(self.plan.times), self.n)

    def turn(self, block: int) -> None:
        """Write the planes of a block, and keep its times that are new."""
        plan, (first, last) = self.plan, self.blocks[block]
        if len(plan.chosen):
            if self.form.itemsize % 4:
                self._planes.reshape(-1, self.n)[:, first:last] = self._rows[first:last, plan.chosen].T
            else:
                words = self._rows.view(np.uint32)
                to_planes(words, plan.chosen, plan.which, plan.masks, plan.starts(block), self._planes, first, last)
        if len(plan.times):
            new = np.empty(len(plan.times) * (last - first), np.uint64)
            words = self._rows.view(np.uint64)
            self._new[block] = new[: to_places(words, plan.times, self._places, new, first, last)]

    def split(self) -> None:
        """Write the new times of all blocks: seconds, then microseconds, as most times are whole seconds."""
        every = np.concatenate([np.zeros(0, np.uint64), *self._new]).view(np.int64)
        planes = self._times[: TIME * len(every)].reshape(TIME, len(every))
        seconds = every // SECOND
        rest = (every - seconds * SECOND).astype(np.int32)
        planes[:8] = seconds.view(np.uint8).reshape(-1, 8).T
        planes[8:] = rest.view(np.uint8).reshape(-1, 4).T

    def told(self) -> dict[str, Any]:
        """Say in JSON how the parts are to be read."""
        return {
            "name": self.name,
            "form": self.form.str if self.form.names is None else described(self.form),
            "shape": self.shape,
            "bytes": self.plan.chosen.tolist(),
            "sparse": self.sparse.tolist(),
            "present": np.bitwise_count(self.plan.masks).sum(axis=1, dtype=np.int64).tolist(),
            "times": self.plan.times.tolist(),
            "new": [len(one) for one in self._new],
        }


def lengths_of(told: dict[str, Any]) -> list[list[int]]:
    """Give the lengths of the planes of each part: first row, masks, bytes, places of times, new times."""
    form, shape = told["form"], cast(list[int], told["shape"])
    n = int(np.prod(shape)) if isinstance(form, str) else shape[0]
    width = _blank({**told, "shape": [0]})[1]
    present = dict(zip(told.get("sparse", []), told.get("present", []), strict=True))
    return [
        [width] * min(n, 1),
        [8 * -(-n // TILE)] * len(present),
        [present.get(byte // 4, n) for byte in told["bytes"]],
        [n] * len(told["times"]),
        [sum(told["new"])] * TIME,
    ]


def _blank(told: dict[str, Any]) -> tuple[NDArray[Any], int]:
    """An array as the section describes it, not filled in, and how many bytes a row of it has."""
    form, shape = told["form"], tuple(int(size) for size in told["shape"])
    kind = np.dtype(form) if isinstance(form, str) else form_of(form)
    if kind.names is not None and kind.itemsize % CACHE_LINE:
        raise ValueError("records of another length")
    return np.zeros(shape, kind), kind.itemsize


def filled(
    told: dict[str, Any], parts: list[Bytes], pool: ThreadPoolExecutor
) -> tuple[NDArray[Any], Callable[[], None]]:
    """Give an array back from what `Planes` told and wrote, and what waits until it is whole.

    Raises
    ------
    ValueError
        The parts are none of such an array, here or from what is given back.
    """
    first, masks, planes, places, new = parts
    array, width = _blank(told)
    rows = _shared_rows(array, width)
    n = len(rows)
    if n == 0:
        return array, lambda: None
    rows[:] = first
    chosen, sparse, times = (np.array(told.get(name, []), np.int64) for name in ("bytes", "sparse", "times"))
    if len(chosen) and not (chosen.min() >= 0 and chosen.max() < width):
        raise ValueError("a byte outside its row")
    if len(times) and not (times.min() >= 0 and 8 * times.max() + 8 <= width):
        raise ValueError("a time outside its row")
    if (np.diff(sparse) <= 0).any():
        raise ValueError("words out of order")
    plan = Cut.of(n, chosen, sparse, masks.view(np.uint64).reshape(len(sparse), -(-n // TILE)), times)
    if sum(plan.lengths) != len(planes):
        raise ValueError("planes of another length")
    words = rows.view(np.uint64) if len(times) else np.zeros((0, 0), np.uint64)
    turned = places.reshape(len(times), n)
    every = _times(new)
    ends = np.cumsum(told["new"])

    def fill(numbered: tuple[int, tuple[int, int]]) -> bool:
        number, block = numbered
        if len(chosen):
            from_planes(rows, chosen, plan.which, plan.masks, plan.starts(number), planes, *block)
        if not len(times):
            return True
        mine = every[int(ends[number]) - told["new"][number] : int(ends[number])]
        return from_places(turned, mine, times, words, *block) == len(mine)

    done = pool.map(fill, enumerate(blocks(n)))

    def whole() -> None:
        if not all(done):
            raise ValueError("times do not fit")

    return array, whole


def _times(new: Bytes) -> NDArray[np.uint64]:
    planes = new.reshape(TIME, -1)
    seconds, rest = (np.ascontiguousarray(part.T).reshape(-1) for part in (planes[:8], planes[8:]))
    return (seconds.view(np.int64) * SECOND + rest.view(np.int32)).view(np.uint64)

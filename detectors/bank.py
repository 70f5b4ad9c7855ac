"""What the banks of detectors share: room for streams, fresh starts, state as arrays.

`detectors.banks` has one for each kind of stream.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from detectors.kernels.continuous import ALARMED, WATCHING
from detectors.state import Arrays, Layout, as_records, columns, records, resized, without

RING = 512  # last standardised scores that the second opinion sees
KEPT_WHEN_RELEARNING = {"observations", "recent"}
CLEARED_BY_REARMING = {
    *("statistic", "alone", "starts", "cusum", "onset_n", "onset_sum", "onset_depth", "onset_low_at", "onset_high_at"),
    *("log_e", "run_n", "run_sum", "run_counts", "alarm_at"),
}


@dataclass(slots=True)
class Bank(ABC):
    """What the banks share: room, fresh starts, and the state as arrays."""

    LAYOUT: ClassVar[Layout] = {}
    DETECTOR: ClassVar[str] = ""
    NUMBERED: ClassVar[
        tuple[str, ...]
    ] = ()  # fields whose value says where something lies, so not part of the state as they are

    warm_up: int
    second_opinion: bool = False
    streams: int = 0
    table: Any = field(init=False)  # a record for each stream, what the kernel works on
    arrays: Arrays = field(init=False)  # the fields of `table`, sharing its memory
    ring: NDArray[np.float32] = field(init=False)
    ignored: NDArray[np.int64] = field(init=False)
    seen: NDArray[np.int64] = field(
        init=False
    )  # days of the fleet that had completed when the stream last gave something

    def __post_init__(self) -> None:
        self._lay_out(0, {})
        self.ring = np.zeros((0, RING if self.second_opinion else 0), np.float32)
        self.ignored, self.seen = np.zeros(0, np.int64), np.zeros(0, np.int64)

    def _lay_out(self, room: int, known: Arrays) -> None:
        """Make records with so much room, and fill in the fields that are known of the first ones."""
        self.table = records(self.LAYOUT, room)
        self.arrays = columns(self.table)
        for name in self.LAYOUT.keys() & known.keys():
            self.arrays[name][: len(known[name])] = known[name]

    def ensure(self, streams: int) -> None:
        """Make room for so many streams; room doubles, so that growing stays cheap."""
        if streams > len(self.ignored):
            capacity = max(streams, 2 * len(self.ignored), 16)
            self._lay_out(capacity, self.arrays)
            self.ring = resized({"ring": self.ring}, capacity)["ring"]
            counts = resized({"ignored": self.ignored, "seen": self.seen}, capacity)
            self.ignored, self.seen = counts["ignored"], counts["seen"]
        self.streams = max(streams, self.streams)

    @abstractmethod
    def observe(self, rows: pl.DataFrame) -> list[tuple[int, int]]:
        """Feed rows (slot, value or category, run, at, log_threshold, row); give (slot, index in rows) per alarm."""

    def reference_n(self) -> NDArray[np.int64]:
        """Units (observations or runs) in the reference, per stream."""
        return self.arrays["units"][: self.streams]

    def rearm(self, slot: int, *, relearn: bool) -> None:
        """Watch an alarmed stream again: with the reference it has, or with one learned anew."""
        cleared = self.arrays.keys() - KEPT_WHEN_RELEARNING if relearn else self.arrays.keys() & CLEARED_BY_REARMING
        for name in cleared:
            self.arrays[name][slot] = 0
        if relearn:
            self.ring[slot] = 0
        else:
            self.arrays["phase"][slot] = WATCHING

    def quiet_since(self, day: int) -> list[int]:
        """Streams that last gave something before so many days of the fleet had completed, and wait for no answer."""
        quiet = (self.seen[: self.streams] < day) & (self.arrays["phase"][: self.streams] != ALARMED)
        return np.flatnonzero(quiet).tolist()

    def retire(self, slot: int) -> None:
        """Forget all about a stream, so that another may have its place."""
        self.rearm(slot, relearn=True)
        for name in KEPT_WHEN_RELEARNING & self.arrays.keys():
            self.arrays[name][slot] = 0
        self.ignored[slot] = self.seen[slot] = 0

    def scores(self, slot: int) -> NDArray[np.float64]:
        """Give the kept standardised scores of a stream, oldest first; empty without a second opinion."""
        seen = int(self.reference_n()[slot]) - self.warm_up
        length = self.ring.shape[1]
        if length == 0 or seen <= 0:
            return np.zeros(0)
        ordered = np.roll(self.ring[slot], -(seen % length)) if seen >= length else self.ring[slot, :seen]
        return np.trim_zeros(ordered.astype(np.float64), "f")

    def snapshot(self) -> Arrays:
        """Give the arrays that make up the state, without spare room."""
        return {
            "table": without(self.table[: self.streams], *self.NUMBERED),
            "ignored": self.ignored[: self.streams],
            "seen": self.seen[: self.streams],
            "ring": self.ring[: self.streams],
        }

    def restore(self, arrays: Arrays) -> None:
        """Take over what `snapshot` gave; a ring of another length (second opinion on or off) starts empty."""
        self.streams = len(arrays["ignored"])
        self.table = as_records(self.LAYOUT, arrays["table"], self.NUMBERED)
        self.arrays = columns(self.table)
        self.ignored, self.seen = arrays["ignored"], arrays["seen"]
        ring = arrays["ring"]
        wanted = RING if self.second_opinion else 0
        self.ring = ring if ring.shape[1] == wanted else np.zeros((self.streams, wanted), np.float32)

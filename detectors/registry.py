"""Which stream is which: keys of the observations → position in a bank.

Streams appear as observations of them arrive, in the order of first appearance, whatever the batches. The position of one
that was retired goes to the next that appears, the lowest first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from typing import Any, TypeAlias, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from detectors.state import Arrays

KEYS = ("workflow", "family", "metric", "dimension", "kind")
_SEED = 1
KINDS = ("continuous", "rate", "mix")


Key: TypeAlias = tuple[str, str, str, str]  # workflow, family, metric, dimension
FullKey: TypeAlias = tuple[str, str, str, str, str]


def _no_streams() -> pl.DataFrame:
    return pl.DataFrame(schema={**dict.fromkeys(KEYS, pl.String), "slot": pl.Int64})


@dataclass(slots=True)
class Registry:
    """Stream keys by slot, one list per kind of bank.

    Attributes
    ----------
    keys : dict of list of (workflow, family, metric, dimension) or None
        Per kind; the index in the list is the slot in the bank. None where the stream was retired.
    known : pl.DataFrame
        `KEYS` and slot of every stream, in the order of their appearance.
    """

    keys: dict[str, list[Key | None]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    known: pl.DataFrame = field(default_factory=_no_streams)
    free: dict[str, list[int]] = field(default_factory=lambda: {kind: [] for kind in KINDS})  # heaps
    _hashes: tuple[pl.DataFrame, pl.DataFrame] | None = None  # `known` and the hash of each of its rows
    _packed: tuple[pl.DataFrame, dict[str, Any], Arrays] | None = None

    def assign(self, observations: pl.DataFrame) -> pl.DataFrame:
        """Give `observations` (with `KEYS`, no nulls) a column ``slot``; unknown streams get the next one."""
        slots = self._look_up(observations)
        if slots.null_count() > 0:
            new = observations.filter(slots.is_null()).select(KEYS).unique(maintain_order=True)
            given = [self._place(key) for key in cast(list[FullKey], new.rows())]
            self.known = pl.concat([self.known, new.with_columns(pl.Series("slot", given, dtype=pl.Int64))])
            slots = self._look_up(observations)
        return observations.with_columns(slots)

    def _look_up(self, observations: pl.DataFrame) -> pl.Series:
        """Find the slot of each row, null where its stream is not known.

        By a hash of the key, which is then compared; what that does not settle (a new stream, two keys of one hash) is looked up
        by the keys themselves.
        """
        keys = observations.select(KEYS)
        if self._hashes is None or self._hashes[0] is not self.known:
            hashes = self.known.select(KEYS).hash_rows(_SEED).to_frame("hash").with_row_index("place")
            self._hashes = self.known, hashes.unique("hash", keep="first")
        by_hash = keys.hash_rows(_SEED).to_frame("hash")
        places = by_hash.join(self._hashes[1], on="hash", how="left", maintain_order="left")["place"]
        if places.null_count() == 0 and self.known.select(KEYS)[places].equals(keys):
            return self.known["slot"].gather(places)
        return keys.join(self.known, on=KEYS, how="left", maintain_order="left")["slot"]

    def _place(self, full: FullKey) -> int:
        workflow, family, metric, dimension, kind = full
        key = (workflow, family, metric, dimension)
        if self.free[kind]:
            slot = heappop(self.free[kind])
            self.keys[kind][slot] = key
        else:
            slot = len(self.keys[kind])
            self.keys[kind].append(key)
        return slot

    def retire(self, kind: str, slots: list[int]) -> None:
        """Forget the streams in `slots`."""
        for slot in slots:
            self.keys[kind][slot] = None
            heappush(self.free[kind], slot)
        self.known = self.known.filter((pl.col("kind") != kind) | ~pl.col("slot").is_in(slots))

    def pack(self) -> tuple[dict[str, Any], Arrays]:
        """Give the keys as texts (JSON) and arrays; each different text once."""
        if self._packed is None or self._packed[0] is not self.known:
            texts: dict[str, Any] = {}
            arrays: Arrays = {}
            for name in KEYS:
                texts[name], arrays[name] = numbered(self.known[name])
            arrays["slot"] = self.known["slot"].to_numpy().astype(np.int32)
            self._packed = self.known, texts, arrays
        return self._packed[1], self._packed[2]

    @classmethod
    def unpack(
        cls, texts: Mapping[str, list[str]], arrays: Mapping[str, NDArray[Any]], room: Mapping[str, int]
    ) -> Registry:
        """Rebuild from what `pack` gave and the number of places in each kind of bank."""
        columns = [pl.Series(name, texts[name], dtype=pl.String).gather(arrays[name]) for name in KEYS]
        registry = cls(known=pl.DataFrame([*columns, pl.Series("slot", arrays["slot"], dtype=pl.Int64)]))
        for kind in KINDS:
            mine = registry.known.filter(pl.col("kind") == kind)
            keys: list[Key | None] = [None] * room[kind]
            for *key, slot in mine.select(*KEYS[:4], "slot").iter_rows():
                keys[slot] = cast(Key, tuple(key))
            registry.keys[kind] = keys
            registry.free[kind] = [slot for slot, key in enumerate(keys) if key is None]
            heapify(registry.free[kind])
        return registry


def numbered(texts: pl.Series) -> tuple[list[str], NDArray[np.int32]]:
    """Give the different texts in the order of their appearance, and for each row the number of its text.

    Examples
    --------
    >>> numbered(pl.Series(["b", "a", "b"]))
    (['b', 'a'], array([0, 1, 0], dtype=int32))
    """
    different = texts.unique(maintain_order=True).alias("text")
    places = pl.DataFrame({"text": different}).with_row_index("place")
    found = texts.alias("text").to_frame().join(places, on="text", how="left", maintain_order="left")["place"]
    return different.to_list(), found.to_numpy().astype(np.int32)

"""Names of a mix's categories ↔ the codes that the kernel sees.

A code is given in warm-up, in order of first appearance. Later strangers are no code (-1): the kernel counts them as
`new`, and the first few names are kept for the evidence.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate, chain
from typing import TypeAlias, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from detectors.kernels.lookup import UNKNOWN, find_codes
from detectors.kernels.mix import CODES, NEW, WARMING
from detectors.registry import numbered
from detectors.state import Arrays, column

Codes: TypeAlias = dict[str, int]
Numbers: TypeAlias = NDArray[np.int64]

LONGEST_NAME = 200
NEW_NAMES_KEPT = 5
_KNOWN = {"slot": pl.Int64, "category": pl.String, "code": pl.Int64}


def _no_codes() -> list[Codes]:
    return []


@dataclass(slots=True)
class Categories:
    """Names by slot and code, and the first new names by slot."""

    names: list[list[str]] = field(default_factory=list[list[str]])
    new_names: list[list[str]] = field(default_factory=list[list[str]])
    codes: list[Codes] = field(default_factory=_no_codes)
    fresh: list[tuple[int, int, str]] = field(default_factory=list[tuple[int, int, str]])  # row, slot, name
    known: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=_KNOWN))  # every name that has a code
    stale: set[int] = field(default_factory=set[int])  # slots of which `known` says what was
    _packed: tuple[list[str], Arrays] | None = None  # while no name has come or gone
    _sorted: tuple[pl.DataFrame, tuple[pl.Enum, Numbers, Numbers, Numbers]] | None = None  # `known`, and its table

    def ensure(self, streams: int) -> None:
        """Make room for so many streams."""
        if len(self.names) < streams:
            self._packed = None
        while len(self.names) < streams:
            self.names.append([])
            self.new_names.append([])
            self.codes.append({})

    def encode(self, rows: pl.DataFrame, phase: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Give the code of each row of `rows` (columns row, slot, category); -1 for a stranger to a learned mix."""
        self._refresh()
        named = rows.select("row", "slot", pl.col("category").str.slice(0, LONGEST_NAME))
        texts, *known = self._table()
        slots, numbers = column(named, "slot"), _numbers(named["category"], texts)
        result = find_codes(slots, numbers, *known)
        unknown = np.flatnonzero(result == UNKNOWN)
        if len(unknown):
            result[unknown] = self._code(named[unknown], phase).to_numpy()
        else:
            self.fresh = []
        result.flags.writeable = False
        return result

    def _table(self) -> tuple[pl.Enum, Numbers, Numbers, Numbers]:
        """Give every known text, and by stream which it knows and under what code, as `find_codes` takes them."""
        if self._sorted is None or self._sorted[0] is not self.known:
            known = self.known.sort("slot", maintain_order=True)
            texts = pl.Enum(known["category"].unique(maintain_order=True))
            slots = known["slot"].to_numpy()
            starts = np.searchsorted(slots, np.arange(slots[-1] + 2 if len(slots) else 1))
            table = starts.astype(np.int64), _numbers(known["category"], texts), column(known, "code")
            self._sorted = self.known, (texts, *table)
        return self._sorted[1]

    def _refresh(self) -> None:
        if self.stale:
            rows = [(slot, name, code) for slot in sorted(self.stale) for code, name in enumerate(self.names[slot])]
            others = self.known.filter(~pl.col("slot").is_in(list(self.stale)))
            self.known = pl.concat([others, pl.DataFrame(rows, schema=_KNOWN, orient="row")])
            self.stale = set()

    def _code(self, rows: pl.DataFrame, phase: NDArray[np.uint8]) -> pl.Series:
        """Give codes to names that have none yet, as long as their mix is learned."""
        unique = rows.unique(["slot", "category"], keep="first", maintain_order=True)
        given: list[int] = []
        learned: list[bool] = []
        self.fresh = []
        for row, slot, name in cast(Iterator[tuple[int, int, str]], unique.iter_rows()):
            codes = self.codes[slot]
            code = codes.get(name)
            if code is None:
                if len(codes) >= CODES - 1:
                    code = CODES - 1
                elif phase[slot] == WARMING:
                    code = codes[name] = len(codes)
                    self.names[slot].append(name)
                else:
                    code = -1
                self.fresh.append((row, slot, name))
            given.append(code)
            learned.append(name in codes)
        if self.fresh:
            self._packed = None
        unique = unique.select("slot", "category", pl.Series("code", given, dtype=pl.Int64))
        self.known = pl.concat([self.known, unique.filter(pl.Series(learned, dtype=pl.Boolean))])
        return rows.join(unique, on=["slot", "category"], how="left", maintain_order="left")["code"]

    def settle(self, phase: NDArray[np.uint8], bucket: NDArray[np.uint8]) -> list[tuple[int, int, str]]:
        """Forget the codes that came after the warm-up within this batch; give (row, slot, name) of the new names."""
        found: list[tuple[int, int, str]] = []
        for row, slot, name in self.fresh:
            code = self.codes[slot].get(name, CODES - 1 if len(self.codes[slot]) >= CODES - 1 else -1)
            if phase[slot] == WARMING or (code >= 0 and bucket[slot, code] != NEW):
                continue
            known = self.new_names[slot]
            if name not in known and len(known) < NEW_NAMES_KEPT:
                known.append(name)
                found.append((row, slot, name))
        for slot in {slot for _, slot, _ in self.fresh}:
            if phase[slot] != WARMING:
                kept = [name for code, name in enumerate(self.names[slot]) if bucket[slot, code] != NEW]
                self.names[slot] = kept
                self.codes[slot] = {name: code for code, name in enumerate(kept)}
                self.stale.add(slot)
        self.fresh = []
        return found

    def forget(self, slot: int) -> None:
        """Start the names of one stream anew."""
        self.names[slot], self.new_names[slot], self.codes[slot] = [], [], {}
        self._packed = None
        self.stale.add(slot)

    def pack(self) -> tuple[list[str], Arrays]:
        """Give the different names, and in arrays how many each stream has, and which."""
        if self._packed is None:
            lists = [*self.names, *self.new_names]
            texts, places = numbered(pl.Series(list(chain.from_iterable(lists)), dtype=pl.String))
            counts = np.fromiter(map(len, lists), np.uint8, len(lists))
            self._packed = texts, {"place": places, "count": counts}
        return self._packed

    @classmethod
    def unpack(cls, texts: list[str], arrays: Arrays) -> Categories:
        """Rebuild from what `pack` gave."""
        places: list[int] = arrays["place"].tolist()
        counts: list[int] = arrays["count"].tolist()
        every = [texts[place] for place in places]
        ends = list(accumulate(counts))
        lists = [every[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]
        half = len(lists) // 2
        codes = [{name: code for code, name in enumerate(names)} for names in lists[:half]]
        return cls(lists[:half], lists[half:], codes, stale=set(range(half)))


def _numbers(names: pl.Series, texts: pl.Enum) -> Numbers:
    """Give the number that each name has among `texts`, -1 for none."""
    numbers = names.cast(texts, strict=False).to_physical().cast(pl.Int64).fill_null(-1)
    return column(numbers.to_frame("number"), "number")

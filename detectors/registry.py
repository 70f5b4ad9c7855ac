"""Which stream is which: keys of the observations → position in a bank.

Streams appear as observations of them arrive, in the order of first appearance, whatever the batches. The position of one
that was retired goes to the next that appears, the lowest first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import TypeAlias

import polars as pl

KEYS = ("workflow", "family", "metric", "dimension", "kind")
KINDS = ("continuous", "rate", "mix")


Key: TypeAlias = tuple[str, str, str, str]  # workflow, family, metric, dimension


@dataclass(frozen=True, slots=True)
class Registry:
    """Stream keys by slot, one list per kind of bank.

    Attributes
    ----------
    keys : dict of list of (workflow, family, metric, dimension) or None
        Per kind; the index in the list is the slot in the bank. None where the stream was retired.
    """

    keys: dict[str, list[Key | None]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    slots: dict[tuple[str, str, str, str, str], int] = field(default_factory=dict[tuple[str, str, str, str, str], int])
    free: dict[str, list[int]] = field(default_factory=lambda: {kind: [] for kind in KINDS})  # heaps

    def assign(self, observations: pl.DataFrame) -> pl.DataFrame:
        """Give `observations` (with `KEYS`, no nulls) a column ``slot``; unknown streams get the next one."""
        unique = observations.select(KEYS).unique(maintain_order=True)
        slots = [self._slot(key) for key in unique.iter_rows()]
        unique = unique.with_columns(pl.Series("slot", slots, dtype=pl.Int64))
        return observations.join(unique, on=KEYS, how="left", maintain_order="left")

    def _slot(self, key: tuple[str, ...]) -> int:
        workflow, family, metric, dimension, kind = key
        full = (workflow, family, metric, dimension, kind)
        slot = self.slots.get(full)
        if slot is None:
            key = (workflow, family, metric, dimension)
            if self.free[kind]:
                slot = heappop(self.free[kind])
                self.keys[kind][slot] = key
            else:
                slot = len(self.keys[kind])
                self.keys[kind].append(key)
            self.slots[full] = slot
        return slot

    def retire(self, kind: str, slot: int) -> None:
        """Forget the stream in `slot`."""
        key = self.keys[kind][slot]
        if key is not None:
            del self.slots[(*key, kind)]
            self.keys[kind][slot] = None
            heappush(self.free[kind], slot)

    @classmethod
    def of(cls, keys: dict[str, list[list[str] | None]]) -> Registry:
        """Rebuild from the lists that a state carries."""
        registry = cls()
        for kind in KINDS:
            for slot, key in enumerate(keys[kind]):
                if key is None:
                    registry.keys[kind].append(None)
                    registry.free[kind].append(slot)  # rising, so a heap
                else:
                    workflow, family, metric, dimension = key
                    registry.keys[kind].append((workflow, family, metric, dimension))
                    registry.slots[workflow, family, metric, dimension, kind] = slot
        return registry

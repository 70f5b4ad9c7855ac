"""Which stream is which: keys of the observations → position in a bank.

Streams appear as observations of them arrive, in the order of first appearance, whatever the batches.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

KEYS = ("workflow", "family", "metric", "dimension", "kind")
KINDS = ("continuous", "rate", "mix")


@dataclass(frozen=True, slots=True)
class Registry:
    """Stream keys by slot, one list per kind of bank.

    Attributes
    ----------
    keys : dict of list of (workflow, family, metric, dimension)
        Per kind; the index in the list is the slot in the bank.
    """

    keys: dict[str, list[tuple[str, str, str, str]]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    slots: dict[tuple[str, str, str, str, str], int] = field(default_factory=dict[tuple[str, str, str, str, str], int])

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
            slot = len(self.keys[kind])
            self.keys[kind].append((workflow, family, metric, dimension))
            self.slots[full] = slot
        return slot

    @classmethod
    def of(cls, keys: dict[str, list[list[str]]]) -> Registry:
        """Rebuild from the lists that a state carries."""
        registry = cls()
        for kind in KINDS:
            for workflow, family, metric, dimension in keys[kind]:
                registry._slot((workflow, family, metric, dimension, kind))
        return registry

"""What is known of one snapshot of the lake, and what a later one leaves of it: answers that several pages share.

An answer holds for a revision. When there is another one, it holds on where no table that its statement reads has changed: an
incident changes the incidents, not the sums of half a year.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field

import polars as pl

from dashboards.copies import Stored

# What answers may take, in bytes, and how many there may be; the oldest go first.
_BYTES, _ANSWERS = 64 << 20, 512

Key = tuple[str, str]


@dataclass(slots=True)
class Known:
    """What one snapshot of the lake holds, as far as it was asked.

    Parameters
    ----------
    snapshot : int
    stored : mapping of str to Stored
        Its tables.
    tables : frozenset of str
        Its tables and views.
    revision : str
    changed : set of str | None
        Tables that changed since the revision did; None: perhaps all.
    """

    snapshot: int
    stored: Mapping[str, Stored]
    tables: frozenset[str]
    revision: str
    changed: Set[str] | None = frozenset()
    answers: dict[Key, pl.DataFrame] = field(default_factory=dict)
    _bytes: int = 0

    def keep(self, key: Key, answer: pl.DataFrame) -> None:
        """Keep an answer to the statement and the parameters that `key` names."""
        self.answers[key] = answer
        self._bytes += int(answer.estimated_size())
        while len(self.answers) > 1 and (self._bytes > _BYTES or len(self.answers) > _ANSWERS):
            self._bytes -= int(self.answers.pop(next(iter(self.answers))).estimated_size())

    def inherit(self, before: Known, changed: Set[int] | None, read: Callable[[str], Set[str] | None]) -> None:
        """Take over the answers of an earlier snapshot that hold on.

        Parameters
        ----------
        before : Known
        changed : set of int | None
            Numbers of the tables that changed since then; None: perhaps all.
        read : callable
            Tables of the lake that a statement reads, by its name; None where that is not known.
        """
        self.changed = self._changed(before, changed)
        if self.revision == before.revision:
            self.answers, self._bytes = before.answers, before._bytes
            return
        if self.changed is not None:
            for key, answer in before.answers.items():
                names = read(key[0])
                if names and names <= self.stored.keys() and not names & self.changed:
                    self.keep(key, answer)
        self.changed = frozenset()

    def _changed(self, before: Known, changed: Set[int] | None) -> Set[str] | None:
        if changed is None or before.changed is None:
            return None
        # A table that was made anew has another number, which no change names.
        return before.changed | {
            name
            for name, now in self.stored.items()
            if name not in before.stored or before.stored[name].table_id != now.table_id or now.table_id in changed
        }

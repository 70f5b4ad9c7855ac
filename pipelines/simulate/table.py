"""Spans and events as columns of numbers, before any text is made: cheap to sort, cut and carry over.

A :class:`Rows` holds NumPy arrays of one length. Codes point into the templates of :mod:`.fleet`; text appears only in
:mod:`.encode`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

RUN, CHAT, TOOL, RETRIEVE = range(4)
"""Kinds of span."""
DECISION, APPROVAL, OVERRIDE, ROLLBACK, EVALUATION = range(5)
"""Kinds of event."""
SUCCESS, FAILURE, ESCALATED, ABANDONED = range(4)
"""Outcomes; -1 is not told."""
OUTCOMES = ("success", "failure", "escalated", "abandoned")

SPAN_COLUMNS: dict[str, str] = {
    "workflow": "i4",  # index in the fleet
    "template": "i1",
    "kind": "i1",
    "release": "i1",  # 0 at the start, 1 after the harmless release, 2 after the one with a drift
    "start": "i8",  # microseconds since 1970
    "end": "i8",
    "arrival": "i8",  # when the collector has it
    "trace_high": "u8",
    "trace_low": "u8",
    "span": "u8",
    "parent": "u8",  # 0 for a root
    "session": "u8",
    "model": "i1",  # index in the template's models
    "input_tokens": "i4",  # on a run: the total of its calls, as many frameworks repeat it there
    "cached_tokens": "i4",
    "output_tokens": "i4",
    "finish": "i1",  # 0 stop, 1 tool calls, 2 length
    "action": "i1",  # index in the template's states; -1 none
    "error": "i1",  # 0 none, else 1 + index of the error type
    "shape": "i1",
    "draw": "u8",  # drawn bits behind the argument values
    "compensates": "u8",  # span id of the call that this one undoes, 0 none
    "outcome": "i1",
    "value_cents": "i4",  # value of the outcome, 0 none
    "sources": "u8",  # up to five source codes of a byte each, 0xFF for none
}
EVENT_COLUMNS: dict[str, str] = {
    "span": "u8",
    "at": "i8",  # microseconds since 1970
    "kind": "i1",
    "workflow": "i4",
    "template": "i1",
    "release": "i1",
    "subject": "i1",  # decision: -1 the intake check, else the action asked about; rollback: its kind
    "verdict": "i1",  # decision: action; approval: status; evaluation: 1 pass, 0 fail
    "done": "i8",  # rollback: when it was complete
}


class Rows:
    """Columns of one length by name; columns not given are zero."""

    __slots__ = ("columns", "size")

    def __init__(self, layout: Mapping[str, str], size: int, **given: NDArray[Any] | int) -> None:
        self.size = size
        self.columns: dict[str, NDArray[Any]] = {}
        for name, kind in layout.items():
            value = given.pop(name, 0)
            array = np.asarray(value, dtype=kind)
            self.columns[name] = np.broadcast_to(array, (size,)) if array.ndim == 0 else array
        if given:
            raise KeyError(f"no such column: {', '.join(given)}")

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.columns[name]

    def __len__(self) -> int:
        return self.size

    def take(self, rows: NDArray[Any]) -> Rows:
        """Return the rows at these positions, or where this mask is true."""
        chosen = object.__new__(Rows)
        chosen.columns = {name: column[rows] for name, column in self.columns.items()}
        chosen.size = len(next(iter(chosen.columns.values())))
        return chosen


def concat(parts: Sequence[Rows]) -> Rows:
    """Return the rows of all parts, in order; at least one part."""
    whole = object.__new__(Rows)
    whole.columns = {name: np.concatenate([part.columns[name] for part in parts]) for name in parts[0].columns}
    whole.size = sum(part.size for part in parts)
    return whole

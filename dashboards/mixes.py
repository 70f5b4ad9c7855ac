"""Read the category shares out of a mix signal's detail: trace-born JSON, so nothing in it is trusted to be there."""

from __future__ import annotations

import json
import math
from typing import Any

# More categories than this don't help anyone to see what moved.
_MOST = 8


def shares(detail: str | None) -> list[tuple[str, float | None, float | None]]:
    """Categories with their share before and after, the largest move first; empty when `detail` has none.

    Parameters
    ----------
    detail : str | None
        JSON text of a signal's ``detail``: an object with objects ``before`` and ``after`` of category → share.

    Examples
    --------
    >>> shares('{"before": {"a": 0.9, "b": 0.1}, "after": {"a": 0.2, "c": 0.8}}')
    [('c', 0.0, 0.8), ('a', 0.9, 0.2), ('b', 0.1, 0.0)]
    >>> shares("not json"), shares('{"before": [1]}')
    ([], [])
    """
    try:
        known = json.loads(detail or "")
    except (ValueError, RecursionError):
        return []
    before, after = _side(known, "before"), _side(known, "after")
    if not before and not after:
        return []
    names = {*before, *after}
    rows = [(name, before.get(name, 0.0), after.get(name, 0.0)) for name in names]
    return sorted(rows, key=lambda row: (-abs(row[2] - row[1]), row[0]))[:_MOST]


def _side(known: Any, name: str) -> dict[str, float]:
    side = known.get(name) if isinstance(known, dict) else None
    if not isinstance(side, dict):
        return {}
    return {
        str(key): float(value)
        for key, value in side.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    }

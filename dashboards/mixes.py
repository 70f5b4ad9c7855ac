"""Read the category shares out of a mix signal's detail: it holds names from traces, so nothing in it is trusted."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, TypeGuard

# More categories than this don't help anyone to see what moved.
_MOST = 8


@dataclass(frozen=True, slots=True)
class Share:
    """One category's share before and after the onset, each in [0, 1]."""

    name: str
    before: float
    after: float


def shares(detail: str | None) -> list[Share]:
    """Categories with their share before and after, the largest move first; empty when `detail` has none.

    Parameters
    ----------
    detail : str | None
        JSON text of a signal's ``detail``: ``shares`` is a list of category, before, after; ``new_categories`` names those
        behind the category ``new``.

    Examples
    --------
    >>> shares('{"shares": [{"category": "a", "before": 0.9, "after": 0.4}, {"category": "new", "before": 0, "after": 0.6}],'
    ...        ' "new_categories": ["b"]}')
    [Share(name='b (new)', before=0.0, after=0.6), Share(name='a', before=0.9, after=0.4)]
    >>> shares("not json"), shares('{"shares": [1, {"category": "a"}]}')
    ([], [])
    """
    try:
        known = json.loads(detail or "")
    except (ValueError, RecursionError):
        return []
    listed = known.get("shares") if isinstance(known, dict) else None
    new = known.get("new_categories") if isinstance(known, dict) else None
    rows = [share for entry in listed if (share := _share(entry, new))] if isinstance(listed, list) else []
    rows = [row for row in rows if row.before or row.after]
    return sorted(rows, key=lambda row: (-abs(row.after - row.before), row.name))[:_MOST]


def _share(entry: Any, new: Any) -> Share | None:
    if not isinstance(entry, dict):
        return None
    before, after, name = entry.get("before"), entry.get("after"), entry.get("category")
    if not _is_number(before) or not _is_number(after) or not isinstance(name, str):
        return None
    if name == "new" and isinstance(new, list) and new:
        more = f" and {len(new) - 1} more" if len(new) > 1 else ""
        name = f"{str(new[0])[:60]} (new){more}"
    return Share(name, float(before), float(after))


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)

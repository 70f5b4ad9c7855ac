"""From the spans of a run to its tree: who called whom, in order of time, cut where it gets too long to read. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

Row = Mapping[str, Any]

#: Calls of one name under one parent that are shown before the rest is added up.
ALIKE = 12


@dataclass(frozen=True, slots=True)
class Node:
    """One line of the tree: a span, or several of one name added up.

    Parameters
    ----------
    row : mapping
        The span; the first of those added up.
    depth : int
        0 at the top.
    folded : int
        How many spans the line stands for beside what hangs below them; 0 is the span itself.
    is_orphan : bool
        Its parent never came.
    cost_usd : float | None
        Of all spans of the line that have a known cost.
    errors : int
        Spans of the line that failed.
    """

    row: Row
    depth: int
    folded: int = 0
    is_orphan: bool = False
    cost_usd: float | None = None
    errors: int = 0


def tree(rows: Iterable[Row], *, alike: int = ALIKE) -> list[Node]:
    """Lines in depth-first order, children by their start.

    Of spans of one kind and name under one parent all but the first `alike` become one line, those that failed excepted: what
    went wrong is always shown. Spans that call themselves in a circle stand at the top, once.
    """
    spans = list(rows)
    ids = {row["span_id"] for row in spans}
    children: dict[str | None, list[Row]] = defaultdict(list)
    for row in spans:
        parent = row["parent_span_id"]
        children[parent if parent in ids and parent != row["span_id"] else None].append(row)
    lines: list[Node] = []
    seen: set[str] = set()
    _walk(children, lines, seen, alike, ids)
    for row in spans:  # what no top leads to: circles
        if row["span_id"] not in seen:
            _walk({**children, None: [row]}, lines, seen, alike, ids)
    return lines


def _walk(
    children: Mapping[str | None, list[Row]], lines: list[Node], seen: set[str], alike: int, ids: set[str]
) -> None:
    """Depth first without recursion: a trace may be thousands of spans deep."""
    open_: list[tuple[Row | list[Row], int]] = [(item, 0) for item in reversed(_folded(children.get(None, []), alike))]
    while open_:
        item, depth = open_.pop()
        if isinstance(item, list):
            rest = [row for row in item if row["span_id"] not in seen]
            below = _below(rest, children, seen)
            if rest:
                costs = [row["cost_usd"] for row in (*rest, *below) if row["cost_usd"] is not None]
                errors = sum(row["status"] == "error" for row in (*rest, *below))
                lines.append(Node(rest[0], depth, len(rest), False, sum(costs) if costs else None, errors))
            continue
        if item["span_id"] in seen:
            continue
        seen.add(item["span_id"])
        parent = item["parent_span_id"]
        is_orphan = parent is not None and parent not in ids
        lines.append(Node(item, depth, 0, is_orphan, item["cost_usd"], int(item["status"] == "error")))
        open_ += [(child, depth + 1) for child in reversed(_folded(children.get(item["span_id"], []), alike))]


def _below(rows: list[Row], children: Mapping[str | None, list[Row]], seen: set[str]) -> list[Row]:
    """Everything under `rows`, which count as seen from now on."""
    found: list[Row] = []
    seen.update(row["span_id"] for row in rows)
    left = list(rows)
    while left:
        for child in children.get(left.pop()["span_id"], []):
            if child["span_id"] not in seen:
                seen.add(child["span_id"])
                found.append(child)
                left.append(child)
    return found


def _folded(rows: list[Row], alike: int) -> list[Row | list[Row]]:
    """`rows`, with those of one name beyond `alike` in a list at the place of the first of them."""
    count: dict[tuple[Any, Any], int] = defaultdict(int)
    rest: dict[tuple[Any, Any], list[Row]] = {}
    items: list[Row | list[Row]] = []
    for row in rows:
        key = (row["kind"], row["what"])
        count[key] += 1
        if count[key] <= alike or row["status"] == "error":
            items.append(row)
        elif key in rest:
            rest[key].append(row)
        else:
            rest[key] = [row]
            items.append(rest[key])
    # One that is left alone needs no line that says so.
    return [item[0] if isinstance(item, list) and len(item) == 1 else item for item in items]


def extent(rows: Iterable[Row]) -> tuple[datetime | None, float]:
    """First start of the spans, and the milliseconds from there to their last end."""
    known = [(row["started_at"], row["duration_ms"] or 0.0) for row in rows if row["started_at"] is not None]
    if not known:
        return None, 0.0
    first = min(start for start, _ in known)
    return first, max((start - first).total_seconds() * 1000 + length for start, length in known)

"""The tree of a run's spans: every span once, whatever the trace says of parents, and short enough to read."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dashboards.tree import extent, tree

START = datetime(2026, 3, 8, 9, 0)


def span(
    number: int, parent: int | None = None, what: str = "call", *, kind: str = "tool", **values: Any
) -> dict[str, Any]:
    return {
        "span_id": str(number), "parent_span_id": None if parent is None else str(parent), "kind": kind, "what": what,
        "status": "ok", "cost_usd": None, "started_at": START + timedelta(seconds=number), "duration_ms": 500.0, **values,
    }  # fmt: skip


def shown(rows: list[dict[str, Any]], **how: int) -> list[tuple[str, int, int]]:
    return [(node.row["span_id"], node.depth, node.folded) for node in tree(rows, **how)]


def test_children_stand_below_their_parent_in_order_of_time() -> None:
    rows = [span(0), span(1, 0), span(2, 1, "a"), span(3, 0, "b"), span(4, 1, "c")]
    assert shown(rows) == [("0", 0, 0), ("1", 1, 0), ("2", 2, 0), ("4", 2, 0), ("3", 1, 0)]


def test_many_calls_of_one_name_become_one_line_and_those_that_failed_stay() -> None:
    rows = [
        span(0),
        *(span(number, 0, cost_usd=0.5, status="error" if number == 50 else "ok") for number in range(1, 101)),
    ]
    lines = tree(rows, alike=3)
    assert [node.row["span_id"] for node in lines] == ["0", "1", "2", "3", "4", "50"]
    assert lines[4].folded == 96 and lines[4].cost_usd == 48.0 and lines[4].errors == 0
    assert lines[5].errors == 1


def test_what_hangs_below_a_folded_call_is_counted_with_it() -> None:
    rows = [span(0), *(span(number, 0) for number in (1, 2, 3)), span(9, 3, "deep", cost_usd=2.0, status="error")]
    assert shown(rows, alike=1) == [("0", 0, 0), ("1", 1, 0), ("2", 1, 2)]
    assert tree(rows, alike=1)[-1].cost_usd == 2.0 and tree(rows, alike=1)[-1].errors == 1


def test_a_parent_that_never_came_is_said() -> None:
    (line,) = tree([span(1, 77)])
    assert line.is_orphan and line.depth == 0


def test_a_trace_thousands_deep_is_a_tree_too() -> None:
    assert len(tree([span(number, number - 1 if number else None, str(number)) for number in range(5000)])) == 5000


@given(st.lists(st.none() | st.integers(0, 12), min_size=1, max_size=12), st.integers(1, 3))
def test_every_span_is_in_the_tree_once_whatever_its_parent(parents: list[int | None], alike: int) -> None:
    rows = [span(number, parent, what="ab"[number % 2], cost_usd=1.0) for number, parent in enumerate(parents)]
    lines = tree(rows, alike=alike)
    assert sum(node.cost_usd or 0 for node in lines) == len(rows)
    ids = [node.row["span_id"] for node in lines]
    assert len(ids) == len(set(ids))


def test_the_scale_is_that_of_the_run() -> None:
    assert extent([span(0), span(4, duration_ms=None), span(2)]) == (START, 4000.0)
    assert extent([span(0, started_at=None)]) == (None, 0.0)

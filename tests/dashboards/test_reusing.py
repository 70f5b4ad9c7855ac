"""Components and clone candidates: who uses what, and what keeping one of several tools would save."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from dashboards.encoded import encoded
from dashboards.figures.reuse import COLUMNS, ROWS, uses
from dashboards.reusing import Component, components, families


def clone(
    name: str, calls: int, *, use: str | None, certified: bool = False, price: float | None = 0.01, by: str = "a"
) -> dict[str, Any]:
    called = by.split(",")
    return {
        "arguments_shape": "s", "tool_name": name, "calls": calls, "workflows": len(called), "is_certified": certified,
        "use_instead": use, "called_by": called, "cost_usd_per_call": price,
    }  # fmt: skip


def test_components_add_up_over_workflows_and_the_widely_used_come_first() -> None:
    rows = [
        ("tool", "x", "a", 5, False),
        ("tool", "y", "a", 1, True),
        ("tool", "y", "b", 2, True),
        ("agent", "x", "a", 9, False),
    ]
    frame = pl.DataFrame(
        rows, schema=["component_kind", "name", "workflow", "invocations", "is_certified"], orient="row"
    )
    found = components(frame)
    assert [(one.kind, one.name, one.invocations) for one in found] == [
        ("tool", "y", 3),
        ("agent", "x", 9),
        ("tool", "x", 5),
    ]
    assert found[0].is_shared and not found[1].is_shared


def test_what_certifying_would_save() -> None:
    rows = [
        clone("find", 60, use=None, price=0.01),
        clone("lookup", 30, use="find", price=0.03, by="b"),
        clone("get", 10, use="find"),
    ]
    (one,) = families(rows, 1000)
    assert (one.keep, one.calls_moved, len(one.others), one.workflows) == ("find", 40, 2, ("a", "b"))
    assert one.reuse_gained == pytest.approx(0.1)
    assert one.cost_saved_usd == pytest.approx(30 * 0.02)


def test_calls_that_count_as_reuse_already_are_not_gained_again() -> None:
    rows = [clone("find", 60, use=None, certified=True, by="a,b"), clone("get", 40, use="find")]
    assert families(rows, 1000)[0].reuse_gained == pytest.approx(0.04)


def test_one_workflow_alone_gains_no_reuse_and_an_unknown_price_is_no_saving() -> None:
    (one,) = families([clone("find", 60, use=None), clone("get", 40, use="find", price=None)], 1000)
    assert one.reuse_gained == 0 and one.cost_saved_usd is None
    assert families([clone("find", 1, use=None), clone("get", 1, use="find")], 0)[0].reuse_gained is None


def test_the_map_is_cut_where_it_stops_being_readable() -> None:
    many = [Component("tool", f"t{n}", n % 2 == 0, {f"w{m}": n + m + 1 for m in range(30)}) for n in range(80)]
    figure = uses(many, [f"w{m}" for m in range(30)])
    maps: list[Any] = list(figure.data)
    for map_ in maps:
        assert len(map_["z"]) == ROWS and all(len(line) == COLUMNS for line in map_["z"])
    certified, others = maps
    assert certified["z"][0][0] is not None and others["z"][0][0] is None
    certain, other = figure.layout["yaxis"]["ticktext"][:2]
    assert certain.startswith("✓ ") and not other.startswith("✓")


def test_names_in_the_map_stay_text() -> None:
    hostile = "<img src=x onerror=alert(1)>"
    figure = uses([Component("tool", hostile, True, {hostile: 3})], [hostile])
    assert b"<img" not in encoded(figure.to_dict())

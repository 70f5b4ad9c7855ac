"""The bridge: its parts sum to the move, whatever comes or goes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warehouse.economics.bridge import bridge
from warehouse.economics.groups import BY_MODEL, FACTORS, Group, alike, measured, merged, total

_MODELS = ("a", "b", "c")
_tokens = st.integers(0, 10**7) | st.just(0)
_usd = st.floats(0, 1e3) | st.just(0.0)


@st.composite
def groups(draw: st.DrawFn) -> Group:
    runs = draw(st.integers(1, 1000))
    sums: dict[str, dict[str, float]] = {name: {} for name in BY_MODEL}
    for model in draw(st.sets(st.sampled_from(_MODELS))):
        inputs, outputs = draw(_tokens), draw(_tokens)
        cached = round(inputs * draw(st.sampled_from([0.0, 0.3, 1.0])))
        spent = [draw(_usd) if there > 0 else 0.0 for there in (inputs - cached, cached, outputs)]
        values = (draw(st.integers(1, 5000)), inputs, cached, outputs, *spent, sum(spent) + draw(_usd))
        for name, value in zip(sums, values, strict=True):
            sums[name][model] = float(value)
    return Group(runs, draw(st.integers(1, runs)), draw(_usd), draw(_usd), **sums)


def worth(group: Group) -> float:
    return (sum(group.cost_usd.values()) + group.tool_usd + group.escalation_usd) / group.successes


@given(groups(), groups(), st.booleans())
def test_the_parts_sum_to_the_move_and_swapped_sides_turn_their_signs(first: Group, second: Group, one: bool) -> None:
    if one:
        first, second = merged(first), merged(second)
    there, back = bridge(first, second), bridge(second, first)
    assert there is not None and back is not None
    size = max(there.before, there.after, *(abs(part) for part in there.parts.values()), 1e-12)
    assert there.before == pytest.approx(worth(first), rel=1e-9, abs=1e-12)
    assert there.after == pytest.approx(worth(second), rel=1e-9, abs=1e-12)
    assert abs(sum(there.parts.values()) - (there.after - there.before)) <= 1e-9 * size
    for name in FACTORS:
        assert abs(there.parts[name] + back.parts[name]) <= 1e-9 * size


fleets = st.dictionaries(st.sampled_from(("x", "y", "z")), groups(), min_size=1)


@given(fleets, fleets)
def test_of_several_workflows_the_parts_sum_to_the_move_too(first: dict[str, Group], second: dict[str, Group]) -> None:
    there, back = bridge(first, second), bridge(second, first)
    assert there is not None and back is not None
    size = max(there.before, there.after, *(abs(part) for part in there.parts.values()), 1e-12)
    assert there.before == pytest.approx(worth(total(first.values())), rel=1e-9, abs=1e-12)
    assert there.after == pytest.approx(worth(total(second.values())), rel=1e-9, abs=1e-12)
    assert abs(sum(there.parts.values()) - (there.after - there.before)) <= 1e-9 * size
    for name in FACTORS:
        assert abs(there.parts[name] + back.parts[name]) <= 1e-9 * size
    if first.keys() == second.keys() and len(first) == 1:
        assert there.parts["workflow mix"] == pytest.approx(0.0, abs=1e-9 * size)


@given(groups(), groups(), st.integers(1, 9), st.integers(1, 9))
def test_a_shift_between_workflows_is_workflow_mix_and_nothing_else(
    one: Group, two: Group, few: int, many: int
) -> None:
    def times(group: Group, factor: int) -> Group:
        sums = {name: {model: factor * value for model, value in getattr(group, name).items()} for name in BY_MODEL}
        return Group(
            factor * group.runs,
            factor * group.successes,
            factor * group.tool_usd,
            factor * group.escalation_usd,
            **sums,
        )

    before, after = {"x": one, "y": times(two, few)}, {"x": times(one, many), "y": two}
    for first, second in ((before, after), (before, {"x": one}), ({"y": two}, after)):
        found = bridge(first, second)
        assert found is not None
        size = max(found.before, found.after, 1e-12)
        rest = [abs(part) for name, part in found.parts.items() if name != "workflow mix"]
        assert max(rest) <= 1e-9 * size
        assert found.parts["workflow mix"] == pytest.approx(found.after - found.before, abs=1e-9 * size)
        old, new = map(measured, alike(first, second))
        for name, value in old.items():
            assert new[name] == pytest.approx(value, rel=1e-9) if value is not None else new[name] is None


def test_where_shares_and_rates_of_two_sides_leave_no_success_the_workflows_are_one() -> None:
    first, second = {"x": of(10, 5), "y": of(10, 0)}, {"y": of(20, 10)}
    found = bridge(first, second)
    assert found is not None and found.parts["workflow mix"] == 0
    assert sum(found.parts.values()) == pytest.approx(found.after - found.before, abs=1e-12)


@given(groups())
def test_what_did_not_move_has_no_part(group: Group) -> None:
    found = bridge(group, group)
    assert found is not None and set(found.parts.values()) == {0.0}


def of(
    runs: int, successes: int, model: str = "m", calls: float = 100, tokens: float = 1e5, price: float = 1e-5
) -> Group:
    usd: dict[str, Any] = {"input_usd": {model: tokens * price}, "cost_usd": {model: tokens * price}}
    nothing = {name: {model: 0.0} for name in ("cached_tokens", "output_tokens", "cached_usd", "output_usd")}
    return Group(runs, successes, 0.0, 0.0, calls={model: calls}, input_tokens={model: tokens}, **nothing, **usd)


@pytest.mark.parametrize(
    ("after", "factor"),
    [
        (of(100, 40), "success rate"),
        (of(100, 80, calls=200, tokens=2e5), "calls per run"),
        (of(100, 80, tokens=3e5), "input tokens per call"),
        (of(100, 80, price=3e-5), "price"),
        (of(100, 80, model="n", tokens=3e5), "model mix"),
    ],
)
def test_one_change_is_one_part(after: Group, factor: str) -> None:
    found = bridge(of(100, 80), after)
    assert found is not None
    moved = {name: part for name, part in found.parts.items() if abs(part) > 1e-12}
    assert moved == {factor: pytest.approx(found.after - found.before)}


def test_without_a_success_there_is_no_cost_of_one() -> None:
    assert bridge(of(10, 0), of(10, 5)) is None and bridge(of(10, 5), of(0, 0)) is None

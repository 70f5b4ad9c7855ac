"""The bridge of the pages: its parts are the change that the page shows, and its reasons are what moved."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import polars as pl
import pytest

from dashboards.bridging import moved, reasons
from dashboards.cohorts import NULLABLE_SUMS, SUMS, rolled
from dashboards.data import Reader, View
from dashboards.figures.bridge import waterfall
from dashboards.filters import Filters


def usage(reader: Reader, view: View) -> pl.DataFrame:
    window = view.window
    spans = [window.previous_start, window.previous_end, window.start, window.end]
    return reader.rows("model_usage", [*spans, None, None, None, None])


def of(view: View, span: str, workflow: str | None) -> dict:
    own = view.cohorts.filter(pl.col("span") == span)
    own = own if workflow is None else own.filter(pl.col("workflow") == workflow)
    return rolled(own).row(0, named=True)


@pytest.mark.parametrize("workflow", [None, "contract-review", "customer-refunds"])
def test_the_parts_are_the_change_that_the_page_shows(reader: Reader, view: View, workflow: str | None) -> None:
    found = moved(view.cohorts, usage(reader, view), workflow)
    assert found is not None
    before, now = of(view, "previous", workflow), of(view, "current", workflow)
    assert found.before == pytest.approx(before["cost_per_success_usd"], rel=1e-9)
    assert found.after == pytest.approx(now["cost_per_success_usd"], rel=1e-9)
    assert sum(part.moved for part in found.parts) == pytest.approx(found.after - found.before, abs=1e-12)
    assert {part.factor for part in found.parts if part.moved}, "something moved"


def test_a_shift_between_workflows_is_a_reason_of_its_own() -> None:
    cohorts, calls = sides(tokens_now=1000)
    dear = {"tool_cost_usd": 50.0, "cost_usd": pl.col("cost_usd") + 50.0}
    is_now = pl.col("span") == "current"

    def of_two(frame: pl.DataFrame, columns: list[str], **cost: Any) -> pl.DataFrame:
        other = frame.with_columns(
            workflow=pl.lit("v"),
            **{name: pl.lit(value) if isinstance(value, float) else value for name, value in cost.items()},
        )
        # In the second period the dear one has four times the runs.
        grown = [pl.when(is_now).then(pl.col(name) * 4).otherwise(pl.col(name)).alias(name) for name in columns]
        return pl.concat([frame, other.with_columns(grown)], how="vertical_relaxed")

    sums = [
        "runs",
        "settled_runs",
        "successes",
        "priced_runs",
        "priced_successes",
        "cost_usd",
        "tool_cost_usd",
        "model_cost_usd",
    ]
    found = moved(
        of_two(cohorts, sums, **dear),
        of_two(calls, [name for name in calls.columns if calls[name].dtype == pl.Float64]),
    )
    assert found is not None
    assert [part.factor for part in found.shown] == ["workflow mix"]
    assert found.said() == "cost per outcome +58\u202f%: workflow mix +$0.0188 per success"


def test_the_figure_ends_where_the_cost_is_now(reader: Reader, view: View) -> None:
    found = moved(view.cohorts, usage(reader, view))
    assert found is not None
    bar: Any = waterfall(found, "before", "now").data[0]
    ends = [start + length for start, length in zip(bar["base"], bar["x"], strict=True)]
    assert ends[0] == found.before and ends[-1] == found.after
    assert ends[-2] == pytest.approx(found.after, rel=1e-6), "each bar begins where the last one ended"


def sides(*, tokens_now: float, spread: float = 0.0) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Two periods of 1,000 runs, a call each at a dollar per million tokens, that differ in tokens alone."""
    cohorts, calls = [], []
    for span, tokens in (("previous", 1000.0), ("current", tokens_now)):
        cost = tokens / 1e6
        row = dict.fromkeys(SUMS, 0) | dict.fromkeys(NULLABLE_SUMS, 0.0)
        row |= {"span": span, "bucket_at": datetime(2026, 3, 2), "workflow": "w", "model": "m"}
        row |= {"runs": 1000, "settled_runs": 1000, "successes": 800, "priced_runs": 1000, "priced_successes": 800}
        row |= {"cost_usd": 1000 * cost, "cost_of_successes_usd": 800 * cost, "model_cost_usd": 1000 * cost}
        row |= {"cost_squared": 1000 * cost**2 * (1 + spread)}
        cohorts.append(row)
        calls.append(
            {"span": span, "workflow": "w", "model": "m", "calls": 1000.0, "input_tokens": 1000 * tokens,
             "cached_tokens": 0.0, "output_tokens": 0.0, "input_usd": 1000 * cost, "cached_usd": 0.0,
             "output_usd": 0.0, "cost_usd": 1000 * cost}
        )  # fmt: skip
    return pl.DataFrame(cohorts), pl.DataFrame(calls)


def test_the_reason_names_what_moved_and_by_how_much() -> None:
    cohorts, calls = sides(tokens_now=1220)
    by_span = {row["span"]: row for row in rolled(cohorts, "span").to_dicts()}
    said = reasons(cohorts, calls, by_span["current"], by_span["previous"], "w")
    assert said == "cost per outcome +22\u202f%: input tokens per call +22\u202f%"


def test_what_sampling_explains_has_no_reason() -> None:
    cohorts, calls = sides(tokens_now=1020, spread=4.0)
    by_span = {row["span"]: row for row in rolled(cohorts, "span").to_dicts()}
    assert reasons(cohorts, calls, by_span["current"], by_span["previous"], "w") == ""
    assert reasons(cohorts, calls, by_span["current"], None, "w") == ""


def test_a_period_without_a_success_has_no_bridge(view: View) -> None:
    cohorts, calls = sides(tokens_now=1000)
    assert moved(cohorts.with_columns(priced_successes=pl.lit(0)), calls) is None
    assert moved(cohorts.filter(pl.col("span") == "current"), calls) is None


def test_filters_narrow_calls_as_they_narrow_runs(reader: Reader) -> None:
    view = reader.view(Filters(environment="staging"))
    assert view is not None
    window = view.window
    spans = [window.previous_start, window.previous_end, window.start, window.end]
    found = moved(view.cohorts, reader.rows("model_usage", [*spans, None, "staging", None, None]))
    assert found is not None
    assert found.after == pytest.approx(of(view, "current", None)["cost_per_success_usd"], rel=1e-9)

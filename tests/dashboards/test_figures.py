"""Figures: pure, complete, and blind to markup in names."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import polars as pl
import pytest

from dashboards.app import content_of
from dashboards.cohorts import rolled
from dashboards.compared import Change as Compared
from dashboards.data import Reader, View
from dashboards.encoded import encoded
from dashboards.export import Writer
from dashboards.figures import cost, drift
from dashboards.figures.figure import Figure
from dashboards.figures.releases import differences
from dashboards.figures.scorecard import Change, changes
from dashboards.figures.sparkline import sparkline
from dashboards.figures.theme import FAMILIES
from dashboards.filters import Filters
from dashboards.mixes import Share
from dashboards.pages.registry import PAGES
from dashboards.text import label, usd

HOSTILE = "<img src=x onerror=alert(1)><b>%{x}</b>"


def checked(figure: Figure) -> Any:
    """As Plotly's own object, which refuses what Plotly does not know."""
    return go.Figure(figure.to_dict())


def traces(figure: Figure) -> list[Any]:
    return list(checked(figure).data)


def texts(figure: Figure) -> str:
    return encoded(figure.to_dict()).decode()


def test_the_trend_has_a_point_per_bucket_and_a_band_around_it(view: View) -> None:
    points = rolled(view.cohorts, "bucket_at")
    figure = cost.trend(points, view.window)
    band, line = traces(figure)
    assert len(line.y) == points.height
    assert min(band.y) <= min(line.y) and max(band.y) >= max(line.y)
    low, high = checked(figure).layout.yaxis.range
    assert 0 <= low < min(line.y) and high > max(line.y)


def test_a_gap_in_the_data_stays_a_gap_in_the_band(view: View) -> None:
    points = rolled(view.cohorts, "bucket_at")
    holed = points.filter(pl.col("bucket_at") != points["bucket_at"][4])
    assert len(traces(cost.trend(holed, view.window))) == 3


def test_one_bucket_and_no_bucket_make_a_figure(view: View) -> None:
    points = rolled(view.cohorts, "bucket_at")
    assert len(traces(cost.trend(points.head(1), view.window))[-1].y) == 1
    assert traces(cost.trend(points.head(0), view.window))[-1].y == ()
    assert traces(cost.spend(points.head(0), view.window))[0].y == ()


def test_spend_adds_up_to_the_cost(view: View) -> None:
    points = rolled(view.cohorts, "bucket_at")
    figure = cost.spend(points, view.window)
    assert sum(sum(bar.y) for bar in traces(figure)) == pytest.approx(points["cost_usd"].sum())


def test_the_parts_of_a_success_add_up_to_its_cost(view: View) -> None:
    rows = [row for row in rolled(view.cohorts, "workflow").to_dicts() if row["priced_successes"]]
    figure = cost.made_of(rows)
    for place, row in enumerate(rows):
        assert sum(bar.x[place] for bar in traces(figure)) == pytest.approx(row["cost_per_success_usd"])


def test_the_timeline_marks_onset_and_detection_of_every_incident(view: View) -> None:
    figure = drift.timeline(view.incidents, view.window.start, view.window.end)
    onsets = {at for trace in traces(figure) if "open" in str(trace.marker.symbol) for at in trace.x}
    detected = {at for trace in traces(figure) if trace.showlegend is None and trace.name for at in trace.x}
    assert onsets == set(view.incidents["onset_at"])
    assert detected == set(view.incidents["opened_at"])
    assert {trace.name for trace in traces(figure) if trace.showlegend is None} == {
        name for name, *_ in FAMILIES.values()
    }
    assert checked(figure).layout.xaxis.range[0] <= min(onsets)


def test_names_from_traces_reach_no_figure_as_markup(view: View) -> None:
    hostile = view.incidents.with_columns(workflow=pl.lit(HOSTILE), headline=pl.lit(HOSTILE), family=pl.lit(HOSTILE))
    rows = [
        {**row, "workflow": HOSTILE} for row in rolled(view.cohorts, "workflow").to_dicts() if row["priced_successes"]
    ]
    figures = [
        drift.timeline(hostile, view.window.start, view.window.end),
        drift.shares([Share(HOSTILE, 0.2, 0.8)]),
        changes([Change(HOSTILE, 1.0, 2.0, 0.5, 1.5)], usd, prefix="$"),
        cost.made_of(rows),
        differences([(HOSTILE, Compared(1.0, -2.0, 4.0, 5.0, "pt"), "worse")]),
    ]
    for figure in figures:
        written = texts(figure)
        assert "&lt;img src=x" in written
        assert "<img" not in written and "<b>%{x}" not in written


def test_a_workflow_named_like_a_number_or_a_date_keeps_its_row() -> None:
    figure = changes([Change("2024-01-01", 1.0, 2.0), Change("17", 3.0, 4.0)], usd)
    assert list(checked(figure).layout.yaxis.ticktext) == ["2024-01-01", "17"]
    assert list(checked(figure).layout.yaxis.tickvals) == [0, 1]


def test_values_of_very_different_size_get_a_logarithmic_axis_with_few_ticks() -> None:
    figure = changes([Change("a", 0.0031, 0.004), Change("b", 43.0, 40.0)], usd, prefix="$", is_log=True)
    assert checked(figure).layout.xaxis.type == "log"
    assert 2 <= len(checked(figure).layout.xaxis.ticktext) <= 6


def test_evidence_of_a_long_duration_is_in_seconds() -> None:
    at = datetime(2026, 3, 2)
    points = pl.DataFrame(
        {"bucket_at": [at, at + timedelta(hours=1)], "value": [9000.0, 12000.0], "observations": [5, 6]}
    )
    level = drift.Level(9000.0, 12000.0, "ms", at + timedelta(minutes=30), at + timedelta(minutes=50))
    figure = drift.evidence(points, level)
    assert list(traces(figure)[0].y) == [9.0, 12.0]
    assert checked(figure).layout.yaxis.ticksuffix.endswith("s")


@pytest.mark.parametrize("values", [[], [1.0], [None, None], [None, 2.0]])
def test_no_trend_no_sparkline(values: list[float | None]) -> None:
    assert sparkline(values) == ""


@pytest.mark.parametrize("values", [[1.0, 1.0], [0.0, None, 5.0], [3.0, 2.0, 1.0]])
def test_a_sparkline_is_a_picture_without_a_script(values: list[float | None]) -> None:
    assert sparkline(values, split=1).startswith("data:image/svg+xml;base64,")


def test_an_interval_stands_beside_zero_and_the_margin() -> None:
    rows = [("a", Compared(30.0, 20.0, 40.0, 5.0, "%"), "worse"), ("b", Compared(-1.0, -2.0, 1.0, 5.0, "%"), None)]
    figure = differences(rows)
    first, second, marks = traces(figure)
    assert (list(first.x), list(second.x), list(marks.x)) == ([20.0, 40.0], [-2.0, 1.0], [30.0, -1.0])
    assert list(marks.marker.symbol) == ["diamond", "circle"]
    low, high = checked(figure).layout.xaxis.range
    assert low < -5 < 0 < 40 < high
    band, zero = checked(figure).layout.shapes
    assert (band.x0, band.x1, zero.x0, zero.x1) == (-5.0, 5.0, 0, 0)


def test_a_model_that_is_named_like_a_template_is_text(view: View) -> None:
    points = rolled(view.cohorts.with_columns(model=pl.lit(HOSTILE)), "bucket_at", "model")
    (bar,) = traces(cost.mix(points, view.window))
    shown = label(HOSTILE, 24)
    assert bar.name == shown and "<img" not in shown
    assert shown not in bar.hovertemplate and {row[0] for row in bar.customdata} == {shown}
    assert sum(value or 0 for value in bar.y) == pytest.approx(view.cohorts["cost_usd"].sum())


# Pages without a figure.
_BARE = {"/runs", "/figures"}


@pytest.mark.parametrize("path", [page.path for page in PAGES])
def test_plotly_knows_every_property_of_every_figure(reader: Reader, streamed_home: Path, path: str) -> None:
    streamed = Reader(streamed_home)
    drawn: list[str] = []
    for each, filters in (
        (reader, Filters()),
        (reader, Filters(incident="inc-0001", tool="ledger.lookup")),
        (streamed, Filters(period="all")),
    ):
        shown, writer = each.view(filters), Writer()
        assert shown is not None
        writer.html(content_of(each, path, shown))
        drawn += writer.figures
    streamed.close()
    for figure in map(json.loads, drawn):
        go.Figure({"data": figure["data"], "layout": figure["layout"]})
    assert bool(drawn) == (path not in _BARE)


def test_a_property_that_plotly_does_not_know_is_found() -> None:
    wrong, trace = Figure({"heigth": 3}), Figure({})
    trace.add_bar(x=[1], colour="red")
    for figure in (wrong, trace):
        with pytest.raises(ValueError, match="Invalid property"):
            checked(figure)


def test_a_property_that_is_none_is_left_out() -> None:
    figure = Figure({"title": None, "xaxis": {"type": "date"}})
    figure.update_xaxes(type=None, nticks=3)
    figure.add_scatter(x=[1], name=None)
    assert figure.to_dict() == {"data": [{"type": "scatter", "x": [1]}], "layout": {"xaxis": {"nticks": 3}}}

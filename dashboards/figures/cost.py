"""Figures of money: cost per success over time with its interval, and spend with and without success."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import plotly.graph_objects as go
import polars as pl

from dashboards import text
from dashboards.figures.theme import BAND, BLUE, SHADE, VERMILLION, bare, note, time_axis
from dashboards.filters import Window


def trend(points: pl.DataFrame, window: Window, *, height: int = 280, is_small: bool = False) -> go.Figure:
    """Cost per successful outcome over time, with its 95 % interval as a band.

    Parameters
    ----------
    points : pl.DataFrame
        `dashboards.cohorts.rolled` by ``bucket_at``.
    window : Window
        The earlier period, when there is one, is shaded.
    is_small : bool
        One of many: fewer labels.
    """
    figure = bare(height)
    for part in _unbroken(points.drop_nulls("ci_high_usd"), window.bucket):
        times = part["bucket_at"].to_list()
        figure.add_scatter(
            x=times + times[::-1],
            y=part["ci_high_usd"].to_list() + part["ci_low_usd"].to_list()[::-1],
            fill="toself",
            fillcolor=BAND,
            line={"width": 0},
            mode="lines",
            hoverinfo="skip",
        )
    known = points.drop_nulls("cost_per_success_usd")
    figure.add_scatter(
        x=points["bucket_at"].to_list(),
        y=points["cost_per_success_usd"].to_list(),
        mode="lines+markers" if known.height <= 60 else "lines",
        line={"color": BLUE, "width": 2.25},
        marker={"size": 4 if is_small else 6, "color": BLUE},
        connectgaps=False,
        customdata=[[_hover(row, window.bucket)] for row in points.iter_rows(named=True)],
        hovertemplate="%{customdata[0]}<extra></extra>",
    )
    highest = known.select(pl.max_horizontal("cost_per_success_usd", "ci_high_usd").max()).item()
    # A wide interval at one thin bucket must not flatten the rest: three times the highest point is room enough.
    ceiling = min(highest, 3 * known["cost_per_success_usd"].max()) if highest else None  # type: ignore[operator]
    _money_axis(figure, ceiling, ticks=3 if is_small else 5)
    _time(figure, points, window, is_small=is_small)
    return figure


def spend(points: pl.DataFrame, window: Window, *, height: int = 280) -> go.Figure:
    """Spend per bucket, split into runs that succeeded and runs that did not.

    Parameters
    ----------
    points : pl.DataFrame
        `dashboards.cohorts.rolled` by ``bucket_at``.
    """
    figure = bare(height, barmode="stack", bargap=0.28, showlegend=True)
    figure.update_layout(legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": 12}})
    middle = window.bucket / 2
    times = [at + middle for at in points["bucket_at"].to_list()]
    lost = _share(points)
    for name, column, colour, pattern in (
        ("Successful runs", "cost_of_successes_usd", BLUE, ""),
        ("Runs without success", "unsuccessful_cost_usd", VERMILLION, "/"),
    ):
        figure.add_bar(
            x=times,
            y=points[column].to_list(),
            name=name,
            marker={
                "color": colour,
                "line": {"width": 0},
                "pattern": {"shape": pattern, "fgcolor": "rgba(255,255,255,0.55)", "size": 6, "solidity": 0.25},
            },
            customdata=[
                [text.when(row["bucket_at"]), text.usd(row[column]), text.percent(share)]
                for row, share in zip(points.iter_rows(named=True), lost, strict=True)
            ],
            hovertemplate=f"{name}: %{{customdata[1]}}<br>%{{customdata[2]}} of this bar went without success"
            "<br>from %{customdata[0]}<extra></extra>",
        )
    total = points["cost_usd"].max()
    _money_axis(figure, total if isinstance(total, (int, float)) else None, ticks=5)
    _time(figure, points, window, is_small=False, is_bar=True)
    return figure


def _share(points: pl.DataFrame) -> list[float | None]:
    return (
        points.select(
            pl.when(pl.col("cost_usd") > 0).then(pl.col("unsuccessful_cost_usd") / pl.col("cost_usd")).otherwise(None)
        )
        .to_series()
        .to_list()
    )


def _hover(row: dict[str, Any], bucket: timedelta) -> str:
    interval = (
        f"95 % interval {text.usd(row['ci_low_usd'])} to {text.usd(row['ci_high_usd'])}"
        if row["ci_high_usd"] is not None
        else "too few successes for an interval"
    )
    return (
        f"<b>{text.usd(row['cost_per_success_usd'])}</b> per successful outcome<br>{interval}<br>"
        f"{text.count(row['successes'])} successes in {text.count(row['settled_runs'])} settled runs<br>"
        f"price coverage {text.percent(row['price_coverage_ratio'])} of model calls<br>"
        f"{text.when(row['bucket_at'])}, {text.lasted(bucket)}"
    )


def _money_axis(figure: go.Figure, highest: float | None, *, ticks: int) -> None:
    figure.update_yaxes(tickprefix="$", nticks=ticks, rangemode="tozero", range=[0, (highest or 1) * 1.12])


def _time(figure: go.Figure, points: pl.DataFrame, window: Window, *, is_small: bool, is_bar: bool = False) -> None:
    first = points["bucket_at"].min() if points.height else window.start
    start: datetime = window.previous_start if window.is_comparable else min(window.start, first)  # type: ignore[type-var,assignment]
    pad = timedelta(0) if is_bar else window.bucket * 0.35
    last = points["bucket_at"].max() if points.height else window.end
    end = max(window.end, last) if is_bar else last  # type: ignore[type-var]
    time_axis(figure, start - pad, end + pad)  # type: ignore[operator]
    if is_small:
        figure.update_xaxes(nticks=4)
    if window.is_comparable:
        boundary = window.start if is_bar else window.start - window.bucket / 2
        figure.add_vrect(x0=start - pad, x1=boundary, fillcolor=SHADE, line_width=0, layer="below")
        if not is_small:
            note(
                figure, window.previous_name, x=start - pad, y=1, yref="paper", xanchor="left", yanchor="top", xshift=6
            )
            note(figure, window.name.lower(), x=boundary, y=1, yref="paper", xanchor="left", yanchor="top", xshift=6)


def _unbroken(points: pl.DataFrame, bucket: timedelta) -> list[pl.DataFrame]:
    """Parts of `points` without a missing bucket between them."""
    if points.is_empty():
        return []
    part = (points["bucket_at"].diff() > bucket).fill_null(False).cum_sum().alias("part")
    return points.with_columns(part).partition_by("part", maintain_order=True)

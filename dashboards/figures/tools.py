"""Figures of tools: how often calls of one fail over time, with interval, and how long they take."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import polars as pl

from dashboards import text
from dashboards.figures.figure import Figure
from dashboards.figures.theme import BAND, BLUE, GOLD, SHADE, bare, note, time_axis
from dashboards.filters import Window

_LEGEND = {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": 12}}


def errors(points: pl.DataFrame, window: Window, *, height: int = 260) -> Figure:
    """Error ratio over time, its 95 % interval as a band.

    Parameters
    ----------
    points : pl.DataFrame
        `dashboards.calling.rolled` by ``bucket_at``.
    window : Window
        The earlier period, when there is one, is shaded.
    """
    figure = bare(height, hovermode="x")
    known = points.drop_nulls("error_ratio")
    for part in unbroken(known, window.bucket):
        times = part["bucket_at"].to_list()
        figure.add_scatter(
            x=times + times[::-1],
            y=part["error_high"].to_list() + part["error_low"].to_list()[::-1],
            fill="toself",
            fillcolor=BAND,
            line={"width": 0},
            mode="lines",
            hoverinfo="skip",
        )
        figure.add_scatter(
            x=times,
            y=part["error_ratio"].to_list(),
            mode="lines+markers" if known.height <= 60 else "lines",
            line={"color": BLUE, "width": 2.25},
            marker={"size": 6, "color": BLUE},
            customdata=[
                [
                    text.percent(row["error_ratio"]),
                    f"{text.percent(row['error_low'])} to {text.percent(row['error_high'])}",
                    text.count(row["errors"]),
                    text.count(row["spanned_calls"]),
                    text.when(row["bucket_at"]),
                ]
                for row in part.iter_rows(named=True)
            ],
            hovertemplate="<b>%{customdata[0]}</b> (95 % interval %{customdata[1]})<br>"
            "%{customdata[2]} of %{customdata[3]} calls failed, from %{customdata[4]}<extra></extra>",
        )
    highest = max([*known["error_ratio"].to_list(), *known["error_high"].to_list()], default=0.0)
    figure.update_yaxes(tickformat=".0%" if highest >= 0.05 else ".1%", range=[0, min(max(1.1 * highest, 0.01), 1.05)])
    framed(figure, window, points["bucket_at"].to_list())
    return figure


def latency(points: pl.DataFrame, window: Window, *, height: int = 260) -> Figure:
    """Median and 95th percentile of the duration over time, on a logarithmic axis.

    Parameters
    ----------
    points : pl.DataFrame
        `dashboards.calling.quantiles` by ``bucket_at``.
    """
    figure = bare(height, hovermode="x", showlegend=True)
    figure.update_layout(legend=_LEGEND)
    for index, part in enumerate(unbroken(points.drop_nulls("p95_ms"), window.bucket)):
        for name, column, colour, dash, mark in (
            ("95th percentile", "p95_ms", GOLD, "dash", "diamond"),
            ("median", "p50_ms", BLUE, "solid", "circle"),
        ):
            figure.add_scatter(
                x=part["bucket_at"].to_list(),
                y=part[column].to_list(),
                name=name,
                legendgroup=name,
                showlegend=index == 0,
                mode="lines+markers" if points.height <= 60 else "lines",
                line={"color": colour, "width": 2, "dash": dash},
                marker={"size": 6, "color": colour, "symbol": mark},
                customdata=[
                    [text.measure(row[column], "ms"), text.count(row["timed"]), text.when(row["bucket_at"])]
                    for row in part.iter_rows(named=True)
                ],
                hovertemplate=f"{name} <b>%{{customdata[0]}}</b><br>%{{customdata[1]}} calls from %{{customdata[2]}}"
                "<extra></extra>",
            )
    known = [value for value in [*points["p50_ms"].to_list(), *points["p95_ms"].to_list()] if value]
    if known:
        ticks = _ticks(min(known), max(known))
        figure.update_yaxes(
            type="log", tickmode="array", tickvals=ticks, ticktext=[text.measure(tick, "ms") for tick in ticks]
        )
    framed(figure, window, points["bucket_at"].to_list())
    return figure


def unbroken(points: pl.DataFrame, bucket: timedelta) -> list[pl.DataFrame]:
    """`points` cut where a bucket is missing, so that no line runs over what is not known."""
    if points.is_empty():
        return []
    times = points["bucket_at"].to_list()
    cuts = [place for place in range(1, len(times)) if times[place] - times[place - 1] > bucket]
    return [points.slice(start, end - start) for start, end in zip([0, *cuts], [*cuts, len(times)], strict=True)]


def framed(figure: Figure, window: Window, times: Sequence[datetime]) -> None:
    """Set the time axis, and shade the earlier period where there is one."""
    start = window.previous_start if window.is_comparable else window.start
    end = max([window.end, *(at + window.bucket / 2 for at in times)])
    if window.is_comparable:
        figure.add_shape(
            type="rect",
            x0=start,
            x1=window.start - window.bucket / 2,
            yref="paper",
            y0=0,
            y1=1,
            fillcolor=SHADE,
            line={"width": 0},
            layer="below",
        )
        note(figure, "before", x=start, y=0.98, yref="paper", xanchor="left", yanchor="top", xshift=4)
    pad = (end - start) * 0.02
    time_axis(figure, start - pad, end + pad)


def _ticks(low: float, high: float) -> list[float]:
    """Round values from `low` to `high` or a little beyond, at most six: the finest of three steps that has no more."""
    for digits in ((1, 1.5, 2, 3, 4, 5, 7), (1, 2, 5), (1,)):
        ticks = [digit * 10.0**power for power in range(-3, 9) for digit in digits]
        inside = [tick for tick in ticks if low / 1.3 <= tick <= high * 1.3]
        if len(inside) <= 6:
            return inside
    return inside

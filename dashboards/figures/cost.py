"""Figures of money: cost per success over time with its interval, and spend with and without success."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from dashboards import text
from dashboards.figures.figure import Figure
from dashboards.figures.theme import (
    BAND,
    BLUE,
    GOLD,
    GREEN,
    GREY,
    PURPLE,
    RULE,
    SHADE,
    VERMILLION,
    bare,
    note,
    rows_axis,
    time_axis,
)
from dashboards.filters import Window


def trend(points: pl.DataFrame, window: Window, *, height: int = 280, is_small: bool = False) -> Figure:
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
    figure = bare(height, hovermode="x")
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
    _fit(figure, known, ticks=3 if is_small else 5)
    _time(figure, points, window, is_small=is_small)
    return figure


def spend(points: pl.DataFrame, window: Window, *, height: int = 280) -> Figure:
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
                "pattern": _pattern(pattern, colour),
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


# Models beyond so many are one: more colours are not told apart.
_MOST_MODELS = 5
_MODELS = ((BLUE, ""), (GREEN, "."), (GOLD, "/"), (PURPLE, "x"), (VERMILLION, "-"), (GREY, ""))


def mix(points: pl.DataFrame, window: Window, *, height: int = 280) -> Figure:
    """Spend per bucket, parted by model: those that cost most, and the others together.

    Parameters
    ----------
    points : pl.DataFrame
        `dashboards.cohorts.rolled` by ``bucket_at`` and ``model``.
    """
    figure = bare(height, barmode="stack", bargap=0.28, showlegend=True)
    figure.update_layout(
        legend={
            "orientation": "h",
            "x": 0,
            "y": 1.02,
            "yanchor": "bottom",
            "font": {"size": 12},
            "traceorder": "normal",
        }
    )
    named = points.with_columns(pl.col("model").fill_null("unknown"))
    whole = named.group_by("model").agg(pl.col("cost_usd").sum()).sort("cost_usd", "model", descending=[True, False])
    kept = whole.filter(pl.col("cost_usd") > 0)["model"].head(_MOST_MODELS).to_list()
    is_other = ~pl.col("model").is_in(kept)
    groups = [(text.label(name, 24), named.filter(pl.col("model") == name)) for name in kept]
    if named.filter(is_other)["cost_usd"].sum():
        groups.append(
            ("others", named.filter(is_other).group_by("bucket_at").agg(pl.col("cost_usd").sum()).sort("bucket_at"))
        )
    for (name, part), (colour, pattern) in zip(groups, _MODELS, strict=False):
        figure.add_bar(
            x=[at + window.bucket / 2 for at in part["bucket_at"].to_list()],
            y=part["cost_usd"].to_list(),
            name=name,
            marker={"color": colour, "line": {"width": 0}, "pattern": _pattern(pattern, colour)},
            # A model's name is data: within the template it could be one itself.
            customdata=[
                [name, text.usd(cost), text.when(at)] for at, cost in part.select("bucket_at", "cost_usd").iter_rows()
            ],
            hovertemplate="%{customdata[0]}: <b>%{customdata[1]}</b><br>from %{customdata[2]}<extra></extra>",
        )
    sums = points.group_by("bucket_at").agg(pl.col("cost_usd").sum())["cost_usd"].max()
    _money_axis(figure, sums if isinstance(sums, (int, float)) else None, ticks=5)
    _time(figure, points, window, is_small=False, is_bar=True)
    return figure


# Part of a run's cost → name, column, colour, pattern.
_PARTS = (
    ("Model calls", "model_cost_usd", BLUE, ""),
    ("Tools", "tool_cost_usd", GREEN, "."),
    ("Handing over to people", "escalation_cost_usd", GOLD, "/"),
)


def made_of(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """What one successful outcome is paid for, per workflow: model calls, tools, people who took over.

    Parameters
    ----------
    rows : sequence of mapping
        `dashboards.cohorts.rolled` by ``workflow``, top to bottom; each with a cost per success.
    """
    figure = bare(max(84 + 34 * len(rows), 150), barmode="stack", bargap=0.42, showlegend=True)
    figure.update_layout(
        legend={
            "orientation": "h",
            "x": 0,
            "y": 1.02,
            "yanchor": "bottom",
            "font": {"size": 12},
            "traceorder": "normal",
        }
    )
    for name, column, colour, pattern in _PARTS:
        values = [(row[column] or 0.0) / row["priced_successes"] for row in rows]
        shares = [(row[column] or 0.0) / row["cost_usd"] if row["cost_usd"] else None for row in rows]
        figure.add_bar(
            y=list(range(len(rows))),
            x=values,
            orientation="h",
            name=name,
            marker={"color": colour, "line": {"width": 0}, "pattern": _pattern(pattern, colour)},
            customdata=[
                [text.label(row["workflow"]), text.usd(value), text.percent(share)]
                for row, value, share in zip(rows, values, shares, strict=True)
            ],
            hovertemplate=f"%{{customdata[0]}}<br>{name}: <b>%{{customdata[1]}}</b> per success, %{{customdata[2]}} of it"
            "<extra></extra>",
        )
    rows_axis(figure, [text.label(row["workflow"], 26) for row in rows])
    figure.update_xaxes(tickprefix="$", showgrid=True, gridcolor=RULE, nticks=5, rangemode="tozero")
    return figure


def _pattern(shape: str, colour: str) -> dict[str, Any]:
    return {"shape": shape, "bgcolor": colour, "fgcolor": "rgba(255,255,255,0.5)", "size": 6, "solidity": 0.22}


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


def _fit(figure: Figure, known: pl.DataFrame, *, ticks: int) -> None:
    """Scale the axis to the line and its band; it starts at zero unless that would flatten everything."""
    values = known["cost_per_success_usd"]
    low, high = (float(values.min() or 0), float(values.max() or 0)) if known.height else (0.0, 1.0)  # type: ignore[arg-type]
    # A wide band at one thin bucket must not flatten the rest.
    top = min(float(known["ci_high_usd"].max() or high), 3 * high)  # type: ignore[arg-type]
    bottom = max(float(known["ci_low_usd"].min() or 0), low / 3)  # type: ignore[arg-type]
    top, room = max(top, high), max(top, high) - min(bottom, low)
    start = max(min(bottom, low) - 0.6 * room, 0.0)
    if start < 0.35 * top:
        start = 0.0
    figure.update_yaxes(tickprefix="$", nticks=ticks, range=[start, top + 0.12 * (top - start)])


def _money_axis(figure: Figure, highest: float | None, *, ticks: int) -> None:
    figure.update_yaxes(tickprefix="$", nticks=ticks, rangemode="tozero", range=[0, (highest or 1) * 1.12])


def _time(figure: Figure, points: pl.DataFrame, window: Window, *, is_small: bool, is_bar: bool = False) -> None:
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
        figure.add_shape(
            type="rect",
            xref="x",
            yref="y domain",
            x0=start - pad,
            x1=boundary,
            y0=0,
            y1=1,
            fillcolor=SHADE,
            line={"width": 0},
            layer="below",
        )
        if not is_small:
            note(
                figure, window.previous_name, x=start - pad, y=1, yref="paper", xanchor="left", yanchor="top", xshift=6
            )
            note(figure, window.name.lower(), x=boundary, y=1, yref="paper", xanchor="left", yanchor="top", xshift=6)


def _unbroken(points: pl.DataFrame, bucket: timedelta) -> list[pl.DataFrame]:
    """Parts of `points` without a missing bucket between them."""
    if points.is_empty():
        return []
    times = points["bucket_at"].to_list()
    cuts = [place for place in range(1, len(times)) if times[place] - times[place - 1] > bucket]
    return [points.slice(start, end - start) for start, end in zip([0, *cuts], [*cuts, len(times)], strict=True)]

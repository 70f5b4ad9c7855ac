"""Figures of drift: when each incident began and was noticed, and what was measured before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from dashboards import text
from dashboards.figures.figure import Figure
from dashboards.figures.theme import (
    BLUE,
    FAMILIES,
    GREY,
    OTHER_FAMILY,
    RULE,
    VERMILLION,
    bare,
    note,
    rows_axis,
    time_axis,
)
from dashboards.mixes import Share


def timeline(incidents: pl.DataFrame, start: datetime, end: datetime) -> Figure:
    """One row per workflow and one bar per incident: open mark at the onset, filled mark where it was detected.

    Parameters
    ----------
    incidents : pl.DataFrame
        Columns of table ``incidents``.
    start, end : datetime
        Time shown (UTC); it is widened to hold every onset.
    """
    workflows = incidents["workflow"].fill_null("unknown").unique(maintain_order=True).sort().to_list()
    figure = bare(max(96 + 44 * len(workflows), 170), showlegend=True)
    figure.update_layout(legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": 12}})
    for family in [name for name in (*FAMILIES, None) if _of(incidents, name).height]:
        name, colour, mark = FAMILIES[family] if family else OTHER_FAMILY
        part = _of(incidents, family)
        rows = part.to_dicts()
        places = [workflows.index(row["workflow"] or "unknown") for row in rows]
        onsets = [row["onset_at"] or row["opened_at"] for row in rows]
        bar_x: list[datetime | None] = []
        bar_y: list[int | None] = []
        for row, place, onset in zip(rows, places, onsets, strict=True):
            bar_x += [onset, max(row["last_signal_at"] or row["opened_at"], row["opened_at"]), None]
            bar_y += [place, place, None]
        group = {"legendgroup": name, "showlegend": False}
        figure.add_scatter(
            x=bar_x, y=bar_y, mode="lines", line={"color": colour, "width": 3}, opacity=0.55, hoverinfo="skip", **group
        )
        figure.add_scatter(
            x=onsets,
            y=places,
            mode="markers",
            marker={"symbol": f"{mark}-open", "size": 11, "color": colour, "line": {"width": 2}},
            customdata=[
                [text.label(row["workflow"]), text.when(onset)] for row, onset in zip(rows, onsets, strict=True)
            ],
            hovertemplate="%{customdata[0]}<br>estimated onset %{customdata[1]}<extra></extra>",
            **group,
        )
        figure.add_scatter(
            x=[row["opened_at"] for row in rows],
            y=places,
            mode="markers",
            name=name,
            legendgroup=name,
            marker={"symbol": mark, "size": 13, "color": colour},
            customdata=[
                [
                    text.label(row["workflow"]),
                    text.label(row["headline"] or "", 90),
                    text.when(row["opened_at"]),
                    text.label(row["state"]),
                ]
                for row in rows
            ],
            hovertemplate="<b>%{customdata[0]}</b><br>%{customdata[1]}<br>"
            "detected %{customdata[2]}, %{customdata[3]}<extra></extra>",
        )
    rows_axis(figure, [text.label(workflow, 24) for workflow in workflows])
    rule = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "layer": "below", "line": {"color": RULE, "width": 0.5}}
    figure.update_layout(shapes=[rule | {"y0": place, "y1": place} for place in range(len(workflows))])
    first = incidents.select(pl.min_horizontal("onset_at", "opened_at").min()).item()
    start = min(start, first) if first is not None else start
    pad = (end - start) * 0.03
    time_axis(figure, start - pad, end + pad)
    return figure


def _of(incidents: pl.DataFrame, family: str | None) -> pl.DataFrame:
    if family is None:
        return incidents.filter(~pl.col("family").is_in(list(FAMILIES)) | pl.col("family").is_null())
    return incidents.filter(pl.col("family") == family)


@dataclass(frozen=True, slots=True)
class Level:
    """A signal's values on both sides of its onset, in `unit`."""

    before: float | None
    after: float | None
    unit: str | None
    onset_at: datetime
    alarm_at: datetime


def evidence(points: pl.DataFrame, level: Level, *, height: int = 220) -> Figure:
    """What the runs measured around the onset, with the levels the detector saw before and after.

    Parameters
    ----------
    points : pl.DataFrame
        bucket_at (UTC), value, observations.
    """
    figure = bare(height, margin={"l": 8, "r": 12, "t": 26, "b": 8}, hovermode="x")
    # Long durations are read in seconds.
    scale = 0.001 if level.unit == "ms" and (points["value"].max() or 0) >= 1000 else 1.0  # type: ignore[operator]
    times, values = points["bucket_at"].to_list(), [scale * value for value in points["value"].to_list()]
    before, after = (None if value is None else scale * value for value in (level.before, level.after))
    is_ratio = (level.unit or "") in {"ratio", "share", "rate", "probability"}
    figure.add_scatter(
        x=times,
        y=values,
        mode="lines+markers",
        line={"color": BLUE, "width": 1.75},
        marker={"size": 5, "color": BLUE},
        customdata=[
            [text.measure(row["value"], level.unit), text.count(row["observations"]), text.when(row["bucket_at"])]
            for row in points.iter_rows(named=True)
        ],
        hovertemplate="<b>%{customdata[0]}</b><br>%{customdata[1]} observations from %{customdata[2]}<extra></extra>",
    )
    start, end = min([*times, level.onset_at]), max([*times, level.alarm_at])
    for value, x0, x1 in ((before, start, level.onset_at), (after, level.onset_at, end)):
        if value is not None:
            figure.add_shape(
                type="line", x0=x0, x1=x1, y0=value, y1=value, line={"color": VERMILLION, "width": 2, "dash": "dash"}
            )
    is_close = (level.alarm_at - level.onset_at) < (end - start) * 0.22
    for at, name, side in (
        (level.onset_at, "onset", "right" if is_close else "center"),
        (level.alarm_at, "detected", "left" if is_close else "center"),
    ):
        figure.add_shape(
            type="line", x0=at, x1=at, yref="paper", y0=0, y1=1, line={"color": GREY, "width": 1.25, "dash": "dot"}
        )
        note(figure, name, x=at, y=1, yref="paper", xanchor=side, yanchor="bottom")
    known = [value for value in (*values, before, after) if value is not None]
    figure.update_yaxes(rangemode="tozero", nticks=4, tickformat=".0%" if is_ratio else None)
    if known and min(known) >= 0:
        figure.update_yaxes(range=[0, max(max(known) * 1.15, 1e-9)])
    if (level.unit or "").lower().startswith("usd"):
        figure.update_yaxes(tickprefix="$")
    if level.unit == "ms":
        figure.update_yaxes(ticksuffix="\u202fs" if scale < 1 else "\u202fms")
    time_axis(figure, start - timedelta(minutes=30), end + timedelta(minutes=30))
    return figure


def shares(mix: Sequence[Share]) -> Figure:
    """A mix before and after: two bars per category, the largest move on top."""
    figure = bare(max(70 + 34 * len(mix), 150), barmode="group", bargap=0.3, bargroupgap=0.06, showlegend=True)
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
    names = [text.label(share.name, 34) for share in mix]
    for title, part, colour, pattern in (
        ("Before", [share.before for share in mix], GREY, "/"),
        ("After", [share.after for share in mix], BLUE, ""),
    ):
        figure.add_bar(
            y=list(range(len(mix))),
            x=part,
            orientation="h",
            name=title,
            marker={
                "color": colour,
                "pattern": {
                    "shape": pattern,
                    "bgcolor": colour,
                    "size": 6,
                    "solidity": 0.22,
                    "fgcolor": "rgba(255,255,255,0.5)",
                },
            },
            customdata=[[name, text.percent(value)] for name, value in zip(names, part, strict=True)],
            hovertemplate=f"%{{customdata[0]}}<br>{title.lower()}: <b>%{{customdata[1]}}</b><extra></extra>",
        )
    rows_axis(figure, names)
    figure.update_xaxes(tickformat=".0%", showgrid=True, gridcolor=RULE, nticks=5, rangemode="tozero")
    return figure

"""Figures of the page on reuse: the rate over time, and who uses what."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from dashboards import text
from dashboards.figures.figure import Figure
from dashboards.figures.theme import BAND, BLUE, GREEN, GREY, SHADE, bare, rows_axis, time_axis
from dashboards.reusing import Component

#: What stays readable: rows and columns of the map.
ROWS, COLUMNS = 50, 20


def rate(points: Sequence[dict[str, Any]], split: datetime, end: datetime) -> Figure:
    """The reuse rate by bucket; the time before `split` is shaded.

    Parameters
    ----------
    points : sequence of dict
        bucket_at, invocations, certified_shared_invocations; in order of time.
    split, end : datetime
        Start and end of the period shown (UTC).
    """
    figure = bare(220)
    shown = [point for point in points if point["invocations"]]
    shares = [point["certified_shared_invocations"] / point["invocations"] for point in shown]
    figure.add_scatter(
        x=[point["bucket_at"] for point in shown],
        y=shares,
        mode="lines+markers" if len(shown) < 40 else "lines",
        line={"color": BLUE, "width": 2},
        marker={"size": 6},
        fill="tozeroy",
        fillcolor=BAND,
        customdata=[
            [text.when(point["bucket_at"]), text.percent(share), text.count(point["invocations"])]
            for point, share in zip(shown, shares, strict=True)
        ],
        hovertemplate="%{customdata[0]}<br><b>%{customdata[1]}</b> of %{customdata[2]} invocations<extra></extra>",
    )
    first = min((point["bucket_at"] for point in shown), default=split)
    if first < split:
        figure.add_shape(
            type="rect",
            xref="x",
            yref="y domain",
            x0=first,
            x1=split,
            y0=0,
            y1=1,
            fillcolor=SHADE,
            line={"width": 0},
            layer="below",
        )
    time_axis(figure, min(first, split), end)
    figure.update_yaxes(tickformat=".0%", rangemode="tozero", nticks=5)
    return figure


def uses(components: Sequence[Component], workflows: Sequence[str]) -> Figure:
    """A row per component and a column per workflow; the darker, the more invocations (logarithmic).

    Parameters
    ----------
    components : sequence of Component
        Top to bottom; at most `ROWS` are drawn.
    workflows : sequence of str
        Left to right; at most `COLUMNS` are drawn.
    """
    rows, columns = components[:ROWS], workflows[:COLUMNS]
    figure = bare(max(90 + 19 * len(rows), 150), margin={"l": 8, "r": 12, "t": 8, "b": 8})
    known = [[row.uses.get(name) for name in columns] for row in rows]
    for is_certified, color in ((True, GREEN), (False, GREY)):
        figure.add_heatmap(
            z=[
                [math.log10(1 + value) if value and row.is_certified == is_certified else None for value in line]
                for row, line in zip(rows, known, strict=True)
            ],
            x=list(range(len(columns))),
            y=list(range(len(rows))),
            zmin=0,
            zmax=max((math.log10(1 + value) for line in known for value in line if value), default=1.0),
            colorscale=[[0.0, _faint(color)], [1.0, color]],
            showscale=False,
            xgap=2,
            ygap=2,
            customdata=[
                [
                    [
                        text.label(row.name),
                        text.label(name),
                        text.count(value),
                        f"{text.label(row.kind)}, {'certified' if is_certified else 'not certified'}",
                    ]
                    for name, value in zip(columns, line, strict=True)
                ]
                for row, line in zip(rows, known, strict=True)
            ],
            hovertemplate="%{customdata[0]} (%{customdata[3]})<br>%{customdata[1]}: <b>%{customdata[2]}</b><extra></extra>",
        )
    # The words say what the colour says.
    rows_axis(figure, [f"{'✓ ' if row.is_certified else ''}{text.label(row.name, 24)}" for row in rows])
    figure.update_xaxes(
        tickmode="array",
        tickvals=list(range(len(columns))),
        ticktext=[text.label(name, 18) for name in columns],
        side="top",
        range=[-0.5, len(columns) - 0.5],
    )
    return figure


def _faint(color: str) -> str:
    red, green, blue = (int(color[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.12)"

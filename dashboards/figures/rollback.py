"""Figures of rollback readiness: each workflow's score from day to day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from dashboards import text
from dashboards.figures.figure import Figure
from dashboards.figures.theme import bare, rows_axis, time_axis

#: Rows that stay readable.
ROWS = 40

# From 0 to 1 in steps that differ in lightness too: told apart without colour.
_SCALE = [[0.0, "#b03a00"], [0.5, "#d9a441"], [0.999, "#7fb9dc"], [1.0, "#00704f"]]


def days(rows: Sequence[Mapping[str, Any]], workflows: Sequence[str]) -> Figure:
    """A row per workflow and a cell per day; a day that was not proven is empty.

    Parameters
    ----------
    rows : sequence of mapping
        workflow, date, score (null: not proven), weakest_link.
    workflows : sequence of str
        Top to bottom; at most `ROWS` are drawn.
    """
    names = list(workflows[:ROWS])
    known = {(row["workflow"], row["date"]): row for row in rows}
    dates: list[date] = sorted({row["date"] for row in rows})
    every = [dates[0] + timedelta(days=step) for step in range((dates[-1] - dates[0]).days + 1)] if dates else []
    cells = [[known.get((name, day)) for day in every] for name in names]
    labels = [text.label(name) for name in names]
    figure = bare(max(60 + 24 * len(names), 130), margin={"l": 8, "r": 12, "t": 8, "b": 8})
    figure.add_heatmap(
        z=[[cell["score"] if cell else None for cell in line] for line in cells],
        x=[datetime.combine(day, time(12)) for day in every],
        y=list(range(len(names))),
        zmin=0,
        zmax=1,
        colorscale=_SCALE,
        showscale=False,
        xgap=1,
        ygap=2,
        customdata=[
            [f"{label}: <b>{_said(cell)}</b>" for cell in line] for label, line in zip(labels, cells, strict=True)
        ],
        hovertemplate="%{x|%-d %b %Y}<br>%{customdata}<extra></extra>",
    )
    if every:
        start = datetime.combine(every[0], time())
        time_axis(figure, start, datetime.combine(every[-1], time()) + timedelta(days=1))
        figure.update_xaxes(tickformat="%-d %b", nticks=min(len(every), 8))
    rows_axis(figure, [text.label(name, 26) for name in names])
    return figure


def _said(cell: Mapping[str, Any] | None) -> str:
    if cell is None or cell["score"] is None:
        return "not proven"
    return f"{cell['score']:.2f}" + (f", weakest: {text.label(str(cell['weakest_link']))}" if cell["score"] < 1 else "")

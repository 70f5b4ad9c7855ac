"""Figures of the scorecard: each workflow now against the period before, with intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dashboards import text
from dashboards.figures.figure import Figure
from dashboards.figures.theme import BLUE, GREY, RULE, VERMILLION, bare, rows_axis


@dataclass(frozen=True, slots=True)
class Change:
    """One workflow's figure now and before.

    Parameters
    ----------
    workflow : str
        As the trace says; made safe here.
    now, before : float | None
        The figure; None is unknown.
    low, high : float | None
        95 % interval of `now`.
    is_worse : bool
        Moved in the wrong direction by more than sampling explains.
    """

    workflow: str
    now: float | None
    before: float | None
    low: float | None = None
    high: float | None = None
    is_worse: bool = False


def changes(
    rows: Sequence[Change],
    shown: Callable[[float | None], str],
    *,
    prefix: str = "",
    suffix: str = "",
    is_log: bool = False,
) -> Figure:
    """One row per workflow: hollow mark before, filled mark now, a thin line for the interval.

    Parameters
    ----------
    rows : sequence of Change
        Top to bottom.
    shown : callable
        Writes one value with its unit.
    prefix, suffix : str
        Unit on the axis.
    is_log : bool
        Amounts of very different size: a logarithmic axis, when the largest is eight times the smallest or more.
    """
    figure = bare(max(70 + 34 * len(rows), 140), margin={"l": 8, "r": 18, "t": 8, "b": 8})
    for index, row in enumerate(rows):
        if row.low is not None and row.high is not None:
            figure.add_scatter(
                x=[row.low, row.high],
                y=[index, index],
                mode="lines",
                line={"color": VERMILLION if row.is_worse else BLUE, "width": 7},
                opacity=0.28,
                hoverinfo="skip",
            )
        if row.now is not None and row.before is not None:
            figure.add_scatter(
                x=[row.before, row.now],
                y=[index, index],
                mode="lines",
                line={"color": GREY, "width": 1.25},
                hoverinfo="skip",
            )
    figure.add_scatter(
        x=[row.before for row in rows],
        y=list(range(len(rows))),
        mode="markers",
        marker={"symbol": "circle-open", "size": 9, "color": GREY, "line": {"width": 1.5}},
        customdata=[[text.label(row.workflow), shown(row.before)] for row in rows],
        hovertemplate="%{customdata[0]}<br>before: %{customdata[1]}<extra></extra>",
    )
    figure.add_scatter(
        x=[row.now for row in rows],
        y=list(range(len(rows))),
        mode="markers",
        marker={
            "symbol": ["diamond" if row.is_worse else "circle" for row in rows],
            "size": 11,
            "color": [VERMILLION if row.is_worse else BLUE for row in rows],
        },
        customdata=[
            [
                text.label(row.workflow),
                shown(row.now),
                shown(row.before),
                f"<br>95 % interval {shown(row.low)} to {shown(row.high)}" if row.high is not None else "",
            ]
            for row in rows
        ],
        hovertemplate="%{customdata[0]}<br><b>%{customdata[1]}</b> now, %{customdata[2]} before%{customdata[3]}<extra></extra>",
    )
    rows_axis(figure, [text.label(row.workflow, 26) for row in rows])
    figure.update_xaxes(showgrid=True, gridcolor=RULE, tickprefix=prefix, ticksuffix=suffix, nticks=5)
    known = [value for row in rows for value in (row.now, row.before, row.low, row.high) if value is not None]
    if is_log and known and min(known) > 0 and max(known) >= 8 * min(known):
        ticks = _log_ticks(min(known), max(known))
        figure.update_xaxes(
            type="log", tickmode="array", tickvals=ticks, ticktext=[f"{prefix}{tick:,g}{suffix}" for tick in ticks]
        )
    elif prefix:
        figure.update_xaxes(rangemode="tozero")
    return figure


def _log_ticks(low: float, high: float) -> list[float]:
    """Round values (1, 2, 5 of each power of ten) within or next to the range; at most six."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    ticks = [digit * 10.0**power for power in range(first, last + 1) for digit in (1, 2, 5)]
    inside = [tick for tick in ticks if low * 0.7 <= tick <= high * 1.4]
    return inside if len(inside) <= 6 else [tick for tick in inside if f"{tick:e}".startswith("1")]

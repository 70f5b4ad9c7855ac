"""Figures of the releases: how much a measure changed, as an interval beside zero and what counts as no change."""

from __future__ import annotations

from collections.abc import Sequence

from dashboards import text
from dashboards.compared import Change, interval, signed
from dashboards.figures.figure import Figure
from dashboards.figures.theme import BLUE, GREEN, GREY, RULE, SHADE, VERMILLION, bare, rows_axis

# Verdict → colour and mark; the words beside the figure repeat it.
_MARKS = {"worse": (VERMILLION, "diamond"), "better": (GREEN, "circle")}


def differences(rows: Sequence[tuple[str, Change, str | None]], *, is_named: bool = True) -> Figure:
    """One row per change: a mark for the estimate on a thick line for its interval, zero as a line, the margin shaded.

    Parameters
    ----------
    rows : sequence of (name, change, verdict)
        Top to bottom; changes of one unit. Names are as the trace says; made safe here.
    is_named : bool
        Without, nothing stands left of the rows: for a single one whose name is beside the figure.
    """
    # The labels' place is set, not found: in so low a figure Plotly would rather cut them.
    figure = bare(58 + 34 * len(rows), margin={"l": 8, "r": 18, "t": 8, "b": 30})
    unit = rows[0][1].unit if rows else "pt"
    margin = min((found.margin for _, found, _ in rows), default=0.0)
    figure.add_shape(
        type="rect", x0=-margin, x1=margin, yref="paper", y0=0, y1=1, fillcolor=SHADE, line={"width": 0}, layer="below"
    )
    figure.add_shape(type="line", x0=0, x1=0, yref="paper", y0=0, y1=1, line={"color": GREY, "width": 1.5})
    for index, (_, found, verdict) in enumerate(rows):
        figure.add_scatter(
            x=[found.low, found.high],
            y=[index, index],
            mode="lines",
            line={"color": _MARKS.get(verdict or "", (BLUE, ""))[0], "width": 7},
            opacity=0.34,
            hoverinfo="skip",
        )
    marks = [_MARKS.get(verdict or "", (BLUE, "circle")) for _, _, verdict in rows]
    figure.add_scatter(
        x=[found.estimate for _, found, _ in rows],
        y=list(range(len(rows))),
        mode="markers",
        marker={"symbol": [mark for _, mark in marks], "size": 11, "color": [colour for colour, _ in marks]},
        customdata=[[text.label(name), signed(found.estimate, found.unit), interval(found)] for name, found, _ in rows],
        hovertemplate="%{customdata[0]}<br><b>%{customdata[1]}</b>, interval %{customdata[2]}<extra></extra>",
    )
    rows_axis(figure, [text.label(name, 26) if is_named else "" for name, *_ in rows])
    ends = [end for _, found, _ in rows for end in (found.low, found.high)] + [-margin, margin]
    room = 0.06 * (max(ends) - min(ends)) or 1.0
    figure.update_xaxes(
        automargin=False,
        showgrid=True,
        gridcolor=RULE,
        nticks=4,
        tickangle=0,
        ticksuffix=f"\u202f{unit}",
        range=[min(ends) - room, max(ends) + room],
    )
    return figure

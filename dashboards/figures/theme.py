"""The look that all figures share: palette, marks, and a bare layout.

Text, grid lines and hover boxes take their colour from the page's style sheet, so that one figure serves light and dark.
Series colours are Okabe and Ito's, moved to middle lightness where needed: each has a contrast of 3:1 or more against both
backgrounds, and none carries meaning alone (marks and labels repeat it).

References
----------
M. Okabe, K. Ito, "Color Universal Design (CUD)", 2008.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from dashboards.figures.figure import Figure

BLUE = "#2583c4"
VERMILLION = "#d55e00"
GREEN = "#009e73"
GOLD = "#b8860b"
PURPLE = "#c06a9b"
GREY = "#7f8b99"

BAND = "rgba(37,131,196,0.17)"
SHADE = "rgba(127,139,153,0.09)"
RULE = "rgba(127,139,153,0.55)"

# Family of drift → name on the page, colour, mark.
FAMILIES: dict[str, tuple[str, str, str]] = {
    "data": ("Data", BLUE, "circle"),
    "behavior": ("Behavior", VERMILLION, "diamond"),
    "tool": ("Tool", GREEN, "square"),
    "cost": ("Cost", GOLD, "triangle-up"),
    "policy": ("Policy", PURPLE, "cross"),
}
OTHER_FAMILY = ("Other", GREY, "x")

FONT = "-apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'Liberation Sans', system-ui, sans-serif"

# For every graph on a page: no editing, no logo, no link out, no scroll trap on a phone.
CONFIG: dict[str, Any] = {
    "displayModeBar": False,
    "displaylogo": False,
    "responsive": True,
    "scrollZoom": False,
    "doubleClick": False,
    "showTips": False,
}


def _axis(**own: Any) -> dict[str, Any]:
    return {"automargin": True, "fixedrange": True, "zeroline": False, "showline": False, "ticks": "", **own}


_LAYOUT: dict[str, Any] = {
    "autosize": True,
    "margin": {"l": 8, "r": 12, "t": 12, "b": 8},
    "paper_bgcolor": "rgba(0,0,0,0)",
    "plot_bgcolor": "rgba(0,0,0,0)",
    "font": {"family": FONT, "size": 12, "color": GREY},
    "hoverlabel": {"font": {"family": FONT, "size": 12}, "align": "left", "namelength": 0},
    "hovermode": "closest",
    "showlegend": False,
    "dragmode": False,
    "xaxis": _axis(showgrid=False, ticklabelstandoff=6),
    "yaxis": _axis(showgrid=True, gridcolor=RULE, ticklabelstandoff=4),
}


def bare(height: int, **layout: Any) -> Figure:
    """An empty figure in the shared look, `height` pixels high and as wide as its place on the page."""
    return Figure({**_LAYOUT, "height": height, **layout})


def time_axis(figure: Figure, start: datetime, end: datetime) -> None:
    """A UTC time axis from `start` to `end` whose labels fit a phone."""
    hours = (end - start).total_seconds() / 3600
    figure.update_xaxes(
        type="date",
        range=[start, end],
        # Hours without a zone could be anybody's.
        tickformat="%H:%M\n%-d %b UTC" if hours <= 100 else "%-d %b",
        tickangle=0,
    )


def rows_axis(figure: Figure, names: Sequence[str]) -> None:
    """A y axis with one row per name, the first on top; names are positions, never values that could be read as numbers.

    Parameters
    ----------
    names : sequence of str
        Already made safe by `dashboards.text.label`.
    """
    figure.update_yaxes(
        tickmode="array",
        tickvals=list(range(len(names))),
        ticktext=list(names),
        range=[len(names) - 0.5, -0.5],
        showgrid=False,
    )


def note(figure: Figure, text: str, **place: Any) -> None:
    """Put a short label (already safe) on the figure without an arrow."""
    figure.add_annotation(text=text, showarrow=False, font={"size": 11, "color": GREY}, **place)

"""Figures of policies: what was not allowed over time, and what became of approvals."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from dashboards import text
from dashboards.figures.figure import Figure
from dashboards.figures.theme import GOLD, GREEN, GREY, PURPLE, VERMILLION, bare
from dashboards.figures.tools import framed
from dashboards.filters import Window

# Result → name, colour, pattern; drawn from the axis up.
DECISIONS = (
    ("deny", "Denied", VERMILLION, ""),
    ("escalate", "Escalated to a person", GOLD, "/"),
    ("redact", "Redacted", PURPLE, "."),
)
APPROVALS = (
    ("granted", "Granted", GREEN, ""),
    ("denied", "Denied", GREY, "."),
    ("bypassed", "Bypassed", VERMILLION, "/"),
)
_Kinds = Sequence[tuple[str, str, str, str]]


def decisions(events: pl.DataFrame, window: Window, *, height: int = 260) -> Figure:
    """Share of decisions that did not allow the action, by what they said instead, per bucket.

    Parameters
    ----------
    events : pl.DataFrame
        ``queries/policy_events.sql``, decisions alone.
    """
    figure = _bars(events, window, DECISIONS, height, is_share=True)
    figure.update_yaxes(tickformat=".0%", rangemode="tozero")
    return figure


def approvals(events: pl.DataFrame, window: Window, *, height: int = 260) -> Figure:
    """Approvals that came to an end, by how, per bucket.

    Parameters
    ----------
    events : pl.DataFrame
        ``queries/policy_events.sql``, approvals alone.
    """
    figure = _bars(events, window, APPROVALS, height, is_share=False)
    figure.update_yaxes(rangemode="tozero", tickformat=",d", nticks=5)
    return figure


def _bars(events: pl.DataFrame, window: Window, kinds: _Kinds, height: int, *, is_share: bool) -> Figure:
    figure = bare(height, barmode="stack", bargap=0.28, showlegend=True)
    figure.update_layout(legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": 12}})
    points = events.group_by("bucket_at").agg(
        pl.col("events").sum().alias("(all)"),
        *(pl.col("events").filter(pl.col("result") == result).sum().alias(result) for result, *_ in kinds),
    )
    points = points.sort("bucket_at")
    middle = window.bucket / 2
    times = [at + middle for at in points["bucket_at"].to_list()]
    for result, name, colour, pattern in kinds:
        counts, wholes = points[result].to_list(), points["(all)"].to_list()
        if not sum(counts):
            continue
        figure.add_bar(
            x=times,
            y=[count / whole for count, whole in zip(counts, wholes, strict=True)] if is_share else counts,
            name=name,
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
            customdata=[
                [text.count(count), text.percent(count / whole), text.count(whole), text.when(at)]
                for count, whole, at in zip(counts, wholes, points["bucket_at"].to_list(), strict=True)
            ],
            hovertemplate=f"{name} <b>%{{customdata[0]}}</b>"
            + (" of %{customdata[2]}: %{customdata[1]}" if is_share else "")
            + "<br>from %{customdata[3]}<extra></extra>",
        )
    framed(figure, window, times)
    return figure

"""The bridge on the cost page: why one success costs more or less than in the period before."""

from __future__ import annotations

import polars as pl

from dashboards import text, words
from dashboards.bridging import Moved, Part, moved
from dashboards.data import View
from dashboards.elements import html
from dashboards.figures.bridge import waterfall
from dashboards.pages.asked import Asked
from dashboards.pages.figuring import Figured
from dashboards.pages.parts import Column, card, graph, table

_COLUMNS = (
    Column("Factor"),
    Column("Moved, per success", True),
    Column("Before", True),
    Column("Now", True),
    Column("Change", True),
)


def usage_of(asked: Asked) -> pl.DataFrame:
    """The model calls beside the view's cohorts."""
    view = asked.view
    spans = [view.window.previous_start, view.window.previous_end, view.window.start, view.window.end]
    given = asked.filters
    return asked.reader.kept("model_usage", [*spans, given.workflow, given.environment, given.team, given.release])


def why(asked: Asked, shown: Figured) -> html.Section:
    """The card with the bridge; without a comparable period, what there would be to see."""
    view = asked.view
    title = "Why it moved"
    found = moved(view.cohorts, usage_of(asked)) if view.window.is_comparable else None
    if found is None:
        missing = (
            "There is no earlier period of the same length to compare with: choose a shorter one."
            if not view.window.is_comparable
            else "One of the two periods has no priced success."
        )
        return card(title, html.P(missing, className="under"), key="bridge", wide=True)
    noise = words.cost_noise(shown.now, shown.before)
    lead = found.said() + "."
    if noise:
        lead = f"Sampling alone explains this change: read the parts as noise. {lead[:1].upper()}{lead[1:]}"
    return card(
        title,
        html.Div(
            [
                graph(
                    waterfall(found, view.window.previous_name, view.window.name.lower()),
                    f"Bridge of the cost per success: {found.said()}",
                ),
                _factors(found),
            ],
            className="pair bridge",
        ),
        key="bridge",
        coverage=_rests_on(view, shown),
        lead=lead[:1].upper() + lead[1:],
        wide=True,
    )


def _factors(found: Moved) -> html.Div:
    parts = sorted(found.shown, key=lambda part: -abs(part.moved))
    rows = [
        [
            html.Span(part.factor[:1].upper() + part.factor[1:], className="name"),
            f"{'+' if part.moved >= 0 else '−'}{text.usd(abs(part.moved))}",
            _value(part, part.before),
            _value(part, part.after),
            part.change if part.before is not None else "–",
        ]
        for part in parts
    ]
    whole = found.after - found.before
    rows.append(
        [
            html.Span("Cost per success", className="name"),
            f"{'+' if whole >= 0 else '−'}{text.usd(abs(whole))}",
            text.usd(found.before),
            text.usd(found.after),
            found.change,
        ]
    )
    return table(_COLUMNS, rows, caption="Factors of the cost per success and what each moved", kind="cards")


def _value(part: Part, value: float | None) -> str:
    if value is None:
        return text.UNKNOWN
    if part.unit.startswith("USD"):
        return text.usd(value)
    if part.factor in {"success rate", "cache share"}:
        return text.percent(value)
    return text.significant(value) if value < 1000 else text.count(value)


def _rests_on(view: View, shown: Figured) -> str:
    runs = f"{text.count(shown.now['priced_runs'])} priced runs now"
    if shown.before is None:
        return runs
    return f"{runs}, {text.count(shown.before['priced_runs'])} in {view.window.previous_name}"

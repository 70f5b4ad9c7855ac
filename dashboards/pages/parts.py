"""The parts that pages are made of: cards, tiles, tables, the question mark with a figure's definition.

Only elements, links and graphs are used, so that the static export can write every page as plain HTML.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlencode

from dash.development.base_component import Component

from dashboards import text
from dashboards.definitions import DEFINITIONS
from dashboards.elements import dcc, html
from dashboards.figures.figure import Figure
from dashboards.figures.theme import CONFIG, FAMILIES, OTHER_FAMILY
from dashboards.words import Delta

Child = Component | str | None


def attributes(**values: str) -> dict[str, Any]:
    """Attributes whose names have a hyphen: ``aria_label`` is written ``aria-label``."""
    return {name.replace("_", "-"): value for name, value in values.items()}


def how(key: str, coverage: str = "") -> html.Details:
    """The question mark beside a figure: meaning, formula, unit, what is left out, coverage, and where to read it.

    Parameters
    ----------
    key : str
        A key of `DEFINITIONS`.
    coverage : str
        How much of the data the figure on this page rests on.
    """
    meant = DEFINITIONS[key]
    rows = [
        ("Formula", meant.formula),
        ("Unit", meant.unit),
        ("Leaves out", meant.excludes),
        ("Coverage", coverage),
        ("Read from", meant.source),
    ]
    pairs = [part for term, said in rows if said for part in (html.Dt(term), html.Dd(said))]
    pairs += [html.Dt("SQL"), html.Dd(dcc.Link(f"What makes {meant.name.lower()}", href=f"/figures#{key}"))]
    return html.Details(
        [
            html.Summary("?", **attributes(aria_label=f"How {meant.name.lower()} is computed")),
            html.Div([html.Strong(meant.name), html.P(meant.meaning), html.Dl(pairs)], className="how-box"),
        ],
        className="how",
    )


def graph(figure: Figure, described: str) -> html.Figure:
    """A figure with the words a screen reader says in its place."""
    height, config = figure.layout["height"], cast("Any", CONFIG)
    return html.Figure(
        dcc.Graph(
            figure=figure.to_dict(), config=config, responsive=True, style={"height": f"{height}px", "width": "100%"}
        ),
        className="graph",
        role="img",
        **attributes(aria_label=described),
    )


def card(
    title: str, *children: Child, key: str = "", coverage: str = "", lead: Child = None, wide: bool = False
) -> html.Section:
    """A titled box; `key` puts the definition beside the title, `lead` a sentence under it."""
    heading = html.Div([html.H2(title), how(key, coverage) if key else None], className="card-head")
    lead_line = html.P(lead, className="lead") if lead else None
    return html.Section([heading, lead_line, *children], className="card wide" if wide else "card")


def delta(change: Delta | None) -> html.Span | None:
    """The change as a small coloured text; colour repeats what arrow and words say."""
    if change is None:
        return None
    return html.Span(change.text, className=f"delta {change.tone}", title=change.said)


def tile(
    name: str, value: str, *, key: str, coverage: str = "", change: Delta | None = None, foot: str = "", trend: str = ""
) -> html.Div:
    """One figure of the scorecard: value with unit, change, trend, and what it rests on."""
    return html.Div(
        [
            html.Div([html.Span(name, className="tile-name"), how(key, coverage)], className="tile-head"),
            html.Div([html.Span(value, className="tile-value"), delta(change)], className="tile-line"),
            spark(trend, f"Trend of {name.lower()}"),
            html.P(foot, className="tile-foot") if foot else None,
        ],
        className="tile",
    )


def spark(picture: str, said: str) -> html.Img | None:
    """A sparkline; nothing where there is no trend."""
    return html.Img(src=picture, className="spark", alt=said) if picture else None


def family(name: str | None) -> html.Span:
    """A family of drift, with its colour and its name."""
    shown = FAMILIES.get(name or "", OTHER_FAMILY)[0]
    return pill(shown, f"family-{name}" if name in FAMILIES else "")


def pill(said: str, tone: str, title: str = "") -> html.Span:
    """A short state in words on a tinted ground."""
    return html.Span(said, className=f"pill {tone}", title=title or None)


def run_link(run_id: str) -> dcc.Link:
    """A run's id, leading to the run itself."""
    return dcc.Link(html.Code(text.plain(run_id, 40)), href="/runs?" + urlencode({"run": run_id}), className="run")


def meter(value: float | None, said: str, tone: str = "") -> html.Div:
    """A thin bar for a share in [0, 1]; nothing but its outline when unknown."""
    filled = html.Span(style={"width": f"{100 * min(max(value, 0.0), 1.0):.1f}%"}) if value is not None else None
    return html.Div(filled, className=f"meter {tone}".strip(), role="img", **attributes(aria_label=said))


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table; `is_number` sets it right, `key` puts its definition in the heading."""

    name: str
    is_number: bool = False
    key: str = ""


def table(columns: Sequence[Column], rows: Sequence[Sequence[Any]], *, caption: str, kind: str = "") -> html.Div:
    """A table that turns into one card per row on a phone.

    Parameters
    ----------
    columns : sequence of Column
    rows : sequence of sequences
        One child (text or component) per column; the first names the row.
    caption : str
        What the table shows, for screen readers.
    kind : str
        Extra class.
    """
    heads = [
        html.Th(
            [column.name, how(column.key) if column.key else None],
            className="num" if column.is_number else None,
            scope="col",
        )
        for column in columns
    ]
    body = []
    for row in rows:
        cells = []
        for index, (column, value) in enumerate(zip(columns, row, strict=True)):
            kinds = "num" if column.is_number else None
            if index == 0:
                cells.append(html.Th(value, scope="row", className=kinds))
            else:
                cells.append(html.Td(value, className=kinds, **attributes(data_label=column.name)))
        body.append(html.Tr(cells))
    return html.Div(
        html.Table([html.Caption(caption), html.Thead(html.Tr(heads)), html.Tbody(body)]),
        className=f"table {kind}".strip(),
    )


def stack(first: Child, second: Child) -> html.Div:
    """A value with a smaller line under it."""
    return html.Div([html.Span(first), html.Span(second, className="under") if second else None], className="stack")


def notice(title: str, *lines: Child, commands: Sequence[str] = ()) -> html.Section:
    """What a page shows where there is nothing to show: why, and what to do."""
    return html.Section(
        [
            html.Div(className="notice-mark", **attributes(aria_hidden="true")),
            html.H2(title),
            *[html.P(line) for line in lines if line],
            html.Div([html.Code(command) for command in commands], className="commands") if commands else None,
        ],
        className="notice",
    )

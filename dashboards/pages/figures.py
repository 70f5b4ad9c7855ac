"""Every figure of the dashboard: what it means, its formula, its unit, and the SQL that made it."""

from __future__ import annotations

from dash.development.base_component import Component

from dashboards.data import View
from dashboards.definitions import DEFINITIONS
from dashboards.definitions.statements import Statement, behind
from dashboards.elements import html
from dashboards.pages.asked import Asked, Page
from dashboards.pages.parts import card

PATH = "/figures"
TITLE = "Figures and their SQL"

_KINDS = {
    "query": "query of the dashboards",
    "mart": "mart, built by each refresh",
    "view": "view",
    "table": "table, filled by the stream, the catalog or a command",
}


def page(_asked: Asked) -> html.Div:
    """All definitions in the order of their names, then each statement once."""
    keys = sorted(DEFINITIONS, key=lambda key: (DEFINITIONS[key].name, key))
    statements: dict[str, Statement] = {}
    for key in keys:
        statements |= {each.anchor: each for each in behind(key)}
    order = sorted(statements.values(), key=lambda each: (list(_KINDS).index(each.kind), each.name))
    return html.Div(
        [
            html.P(
                f"{len(keys)} figures, and {len(order)} queries and tables behind them. Each table can be read with "
                "plumbline sql, and is described by plumbline sql --describe.",
                className="summary",
            ),
            card(
                "Find a figure",
                html.Ul([html.Li(html.A(DEFINITIONS[key].name, href=f"#{key}")) for key in keys], className="index"),
            ),
            *(_figure(key) for key in keys),
            card(
                "The SQL",
                *(_statement(each) for each in order),
                lead="A query reads tables as they are; a mart's statement says how its rows are made.",
                wide=True,
            ),
        ],
        className="figures",
    )


def _figure(key: str) -> html.Section:
    meant = DEFINITIONS[key]
    rows: list[tuple[str, Component | str]] = [
        ("Formula", meant.formula),
        ("Unit", meant.unit),
        ("Leaves out", meant.excludes),
        ("Read from", meant.source),
        ("SQL", html.Ul([_link(each) for each in behind(key)], className="choices")),
    ]
    pairs = [part for term, said in rows if said for part in (html.Dt(term), html.Dd(said))]
    return html.Section(
        [html.H2(meant.name), html.P(meant.meaning, className="lead"), html.Dl(pairs, className="facts")],
        className="card wide",
        id=key,
    )


def _link(statement: Statement) -> html.Li:
    return html.Li([html.A(statement.name, href=f"#{statement.anchor}"), f": {_KINDS[statement.kind]}"])


def _statement(statement: Statement) -> html.Details:
    title = html.Summary([html.Code(statement.name), html.Span(f" · {_KINDS[statement.kind]}", className="under")])
    text = (
        html.Pre(html.Code(statement.sql), tabIndex="0", className="sql")
        if statement.sql
        else html.P("Its rows come as they are; there is no statement that computes them.", className="under")
    )
    return html.Details(
        [title, html.P(statement.meaning, className="said"), text], id=statement.anchor, className="sql-of"
    )


def _scope(_view: View) -> list[str]:
    return ["Definitions hold whatever the filters say."]


PAGE = Page(PATH, TITLE, "Figures", page, "figures.html", scope=_scope, is_tab=False)

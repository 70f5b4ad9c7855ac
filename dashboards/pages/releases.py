"""Releases: is the new one better than the one before, by how much, and on how many runs that rests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from dashboards import compared, text
from dashboards.compared import MEASURES, Measure, Pair
from dashboards.data import Reader, View
from dashboards.elements import dcc, html
from dashboards.figures.releases import differences
from dashboards.pages.asked import Asked, Page
from dashboards.pages.empty import nothing_matches
from dashboards.pages.parts import Child, Column, card, delta, graph, how, notice, pill, stack, table
from dashboards.words import Delta

PATH = "/releases"
TITLE = "Releases"

# More workflows than this need a filter; a report with more pairs would not be read.
_MOST_ROWS, _MOST_REPORTED = 24, 12
# Pairs of one workflow that its table shows, and of all of them.
_MOST_PAIRS = 200

_MEASURE_COLUMNS = tuple(Column(measure.title) for measure in MEASURES)
_PEOPLE_COLUMNS = (
    Column("Release in shadow"),
    Column("Decided as people did", key="release_agreement"),
    Column("Runs with both decisions", True),
    Column("Of shadow runs", True),
)


def page(asked: Asked) -> html.Div:
    """The releases of the workflow asked for, one pair of them in full; of all workflows their newest release.

    A report shows the releases that are worse in full.
    """
    view, reader, is_report = asked.view, asked.reader, asked.is_report
    found = compared.pairs(view.comparisons)
    if not found:
        return html.Div([_nothing(view, reader), _people(view)])
    one_workflow = view.filters.workflow or len(view.extent.workflows) == 1
    return html.Div([*(_of_one(view, found) if one_workflow else _of_all(view, found, is_report=is_report))])


def scope(view: View) -> list[str]:
    """What the page covers, whatever the period and the environment."""
    until = view.comparisons["as_of_at"][0] if not view.comparisons.is_empty() else None
    lines = [f"All runs until {text.when(until or view.extent.latest_at)}, whatever the period chosen"]
    return [*lines, "Releases are compared over all environments."] if view.filters.environment else lines


def _nothing(view: View, reader: Reader) -> html.Section:
    """Why there is no pair, and what to do about it."""
    known = reader.rows("releases", [view.filters.workflow]).row(0, named=True)
    who = f" of {text.plain(view.filters.workflow)}" if view.filters.workflow else ""
    if not known["runs"]:
        return nothing_matches(view)
    if not known["named_runs"]:
        return notice(
            f"No release in the traces{who}",
            "Send plumbline.release, as an attribute of the resource or of the spans: each release is then compared with "
            "the one before it.",
            f"{text.count(known['runs'])} runs name none.",
            commands=("OTEL_RESOURCE_ATTRIBUTES=plumbline.release=1.4.0",),
        )
    if known["most_releases"] < 2:
        return notice(
            f"One release so far{who}" if view.filters.workflow else "No workflow has had two releases",
            f"{text.count(known['named_runs'])} of {text.count(known['runs'])} runs name their release"
            + (f", all of them {text.plain(known['release'], 40)}." if view.filters.workflow else "."),
            "The comparison begins with the second: its runs must say so in plumbline.release.",
        )
    return notice("Releases are not compared yet", "The next refresh compares them.", commands=("plumbline refresh",))


def _of_one(view: View, found: Sequence[Pair]) -> list[Child]:
    chosen, is_known = _chosen(view, found)
    return [
        None
        if is_known
        else html.P(
            [
                "These two releases are not compared at a refresh: ",
                html.Code("plumbline compare"),
                " compares any two.",
            ],
            className="lag",
        ),
        html.P(_summary(chosen), className="summary"),
        _pair(chosen),
        _people(view),
        _table(view, found, chosen, "All comparisons", lead="The newest release first. Open one to see its intervals.")
        if len(found) > 1
        else None,
    ]


def _chosen(view: View, found: Sequence[Pair]) -> tuple[Pair, bool]:
    """The pair of the address, else the newest release; and whether it is what the address asks for."""
    asked = (view.filters.before, view.filters.after)
    for pair in found:
        if (pair.before, pair.after) == asked:
            return pair, True
    return (compared.newest(found) or found)[0], asked == (None, None)


def _summary(pair: Pair) -> str:
    return (
        f"{text.plain(pair.workflow)}: release {text.plain(pair.after, 40)} against {text.plain(pair.before, 40)}: "
        f"{compared.summary(pair)}."
    )


def _of_all(view: View, found: Sequence[Pair], *, is_report: bool) -> list[Child]:
    latest = sorted(compared.newest(found), key=lambda pair: (-len(pair.with_verdict("worse")), pair.workflow))
    worse = [pair for pair in latest if pair.with_verdict("worse")]
    others = len(view.extent.workflows) - len(latest)
    said = (
        f"In {len(worse)} of {len(latest)} workflows the newest release is worse than the one before in some measure."
        if worse
        else "No newest release is shown to be worse than the one before."
    )
    if others > 0:
        said += f" {others} more {'has' if others == 1 else 'have'} no two releases in the traces."
    return [
        html.P(said, className="summary"),
        html.Div([_across(latest, measure) for measure in MEASURES[:2]], className="pair first"),
        _table(
            view,
            latest,
            None,
            "The newest release of each workflow",
            lead="Those that are worse first."
            if is_report
            else "Those that are worse first. Open one to see its intervals and its earlier releases.",
        ),
        _people(view),
        *([_pair(pair) for pair in worse[:_MOST_REPORTED]] if is_report else ()),
    ]


def _across(latest: Sequence[Pair], measure: Measure) -> html.Section:
    """One measure of every workflow's newest release."""
    rows = [(pair.workflow, pair.rows[measure.name]) for pair in latest if measure.name in pair.rows]
    known = [(name, found, row["verdict"]) for name, row in rows if (found := compared.change(row))][:_MOST_ROWS]
    wanting = len(rows) - len(known)
    lead = "The newest release against the one before. Shaded: too small to matter. A red diamond is worse."
    return card(
        f"{measure.title}: change",
        graph(differences(known), f"Change of the {measure.title.lower()} with the newest release of each workflow")
        if known
        else html.P("Too few runs in every workflow.", className="under"),
        key=measure.key,
        coverage=f"{wanting} of {len(rows)} workflows are not drawn: too few runs yet, or too many for one picture"
        if wanting
        else "",
        lead=lead,
    )


def _pair(pair: Pair) -> html.Section:
    """One release beside another: every measure with its interval."""
    shared = pair.first
    against = "the baseline of the catalog" if shared["compared_with"] == "baseline" else "the release before it"
    return card(
        f"{text.plain(pair.workflow, 40)}: {text.plain(pair.before, 40)} → {text.plain(pair.after, 40)}",
        html.Div(
            [
                *(_measure(pair.rows[measure.name], measure) for measure in MEASURES if measure.name in pair.rows),
                _key(),
            ],
            className="smalls",
        ),
        lead=f"First run {text.when(shared['to_first_at'])}; compared with {against}, whose first run was "
        f"{text.when(shared['from_first_at'])}. Each saw its own days: a change in what was asked counts too.",
        wide=True,
    )


def _key() -> html.Div:
    """How the small figures are read."""
    parts = (
        ("Mark", "what was measured; a red diamond is worse, a green disc better"),
        ("Thick line", "what may be true: with probability 95\u202f% all five hold, however often one looks"),
        ("Line at 0", "no change"),
        ("Shaded", "a change too small to matter: 5\u202fpt of a rate, 5\u202f% of a cost or duration"),
    )
    pairs = [part for term, meaning in parts for part in (html.Dt(term), html.Dd(meaning))]
    return html.Div(
        [html.Div(html.Strong("How to read this"), className="small-head"), html.Dl(pairs, className="facts key")],
        className="small",
    )


def _measure(row: dict[str, Any], measure: Measure) -> html.Div:
    name, tone = compared.verdict(row)
    found = compared.change(row)
    said = compared.said(row, measure)
    moved = None
    if found is not None:
        colour = tone if tone in {"good", "bad"} else "flat"
        moved = delta(Delta(compared.signed(found.estimate, found.unit), colour, said))
    return html.Div(
        [
            html.Div(
                [
                    html.Span(
                        [html.Strong(measure.title), how(measure.key, compared.rests_on(row, measure))],
                        className="with-how",
                    ),
                    pill(name, tone),
                ],
                className="small-head",
            ),
            html.Div([html.Span(_values(row), className="tile-value"), moved], className="tile-line"),
            graph(
                differences([(measure.title, found, row["verdict"])], is_named=False),
                f"Change of the {measure.title.lower()}: {compared.signed(found.estimate, found.unit)}, interval "
                f"{compared.interval(found)}",
            )
            if found
            else None,
            html.P(said, className="said"),
            html.P(f"{compared.rests_on(row, measure)}.", className="under"),
        ],
        className="small",
    )


def _values(row: dict[str, Any]) -> str:
    return f"{compared.value(row['before_value'], row['unit'])} → {compared.value(row['after_value'], row['unit'])}"


def _table(view: View, shown: Sequence[Pair], chosen: Pair | None, title: str, *, lead: str) -> html.Section:
    """Pairs, a row each, with the verdict on every measure."""
    is_of_one = chosen is not None
    columns = (Column("Release" if is_of_one else "Workflow"), Column("First run"), *_MEASURE_COLUMNS)
    hidden = len(shown) - _MOST_PAIRS
    return card(
        title,
        table(
            columns,
            [_row(view, pair, is_of_one=is_of_one) for pair in shown[:_MOST_PAIRS]],
            caption=title,
            kind="cards",
        ),
        lead=lead + (f" {hidden} more are in table release_comparisons." if hidden > 0 else ""),
        wide=True,
    )


def _row(view: View, pair: Pair, *, is_of_one: bool) -> list[Any]:
    before, after = text.plain(pair.before, 40), text.plain(pair.after, 40)
    kind = ", the baseline" if pair.first["compared_with"] == "baseline" else ""
    name, under = (
        (after, f"against {before}{kind}") if is_of_one else (text.plain(pair.workflow, 40), f"{before} → {after}")
    )
    opened = link(view, pair.workflow, pair.before, pair.after)
    return [
        stack(dcc.Link(name, href=opened, className="name"), under),
        text.when(pair.first["to_first_at"]),
        *(_cell(pair.rows.get(measure.name)) for measure in MEASURES),
    ]


def _cell(row: dict[str, Any] | None) -> html.Div | str:
    if row is None:
        return text.UNKNOWN
    name, tone = compared.verdict(row)
    found = compared.change(row)
    return stack(pill(name, tone), compared.signed(found.estimate, found.unit) if found else None)


def link(view: View, workflow: str, before: str, after: str) -> str:
    """Where a pair of releases is shown in full."""
    return PATH + view.filters.search(workflow=workflow, before=before, after=after, incident=None)


def _people(view: View) -> html.Section | None:
    """Shadow runs beside what people decided."""
    if view.comparisons.is_empty():
        return None
    rows = view.comparisons.filter(pl.col("compared_with") == "people")
    if rows.is_empty():
        return None
    return card(
        "Shadow runs against people",
        table(
            _PEOPLE_COLUMNS,
            [
                [
                    stack(
                        html.Span(text.plain(row["to_release"] or "no release named", 40), className="name"),
                        text.plain(row["workflow"], 40),
                    ),
                    stack(text.percent(row["after_value"]), _agreed(row)),
                    text.count(row["after_runs"]),
                    text.percent(row["after_coverage_ratio"]),
                ]
                for row in rows.head(_MOST_PAIRS).iter_rows(named=True)
            ],
            caption="How often shadow runs decided as people did",
            kind="cards",
        ),
        lead="How often a release that ran in shadow, and acted on nothing, decided what people decided.",
        wide=True,
    )


def _agreed(row: dict[str, Any]) -> str:
    if row["low"] is None or row["high"] is None:
        return f"Too few {text.plain(row['missing'] or 'runs', 120)}"
    return f"{text.percent(row['low'])} to {text.percent(row['high'])}, however often one looks"


PAGE = Page(PATH, TITLE, "Releases", page, "releases.html", scope=scope, keeps=("before", "after"))

"""Drift and incidents: what changed, since when, how sure that is, and what to do first."""

from __future__ import annotations

from typing import Any

import polars as pl

from dashboards import explained, text, words
from dashboards.data import Reader, View
from dashboards.elements import dcc, html
from dashboards.figures import drift as figures
from dashboards.figures.theme import FAMILIES
from dashboards.pages.asked import Asked, Page
from dashboards.pages.figuring import OPEN_STATES
from dashboards.pages.incident import anchor, detail, families, leading, state, values
from dashboards.pages.parts import Column, attributes, card, family, graph, notice, table, tile
from dashboards.pages.watched import watched

PATH = "/drift"
TITLE = "Drift and incidents"

# States of incidents, in the order of a life.
STATES = ("open", "acknowledged", "silenced", "resolved", "merged")

# A report with more incidents than this would not be read.
_MOST_REPORTED = 12

_COLUMNS = (
    Column("Incident"),
    Column("Family"),
    Column("State"),
    Column("Onset"),
    Column("Detected"),
    Column("Before → after"),
    Column("log e-value", True, key="evidence"),
    Column("Likely cause"),
)


def page(asked: Asked) -> html.Div:
    """The drift page of the workflows and the period that were asked for, with the chosen incident opened.

    A report shows every open incident with its evidence.
    """
    view, reader, is_report = asked.view, asked.reader, asked.is_report
    if view.incidents.is_empty():
        return html.Div([_quiet(view), watched(asked), _precision(reader)])
    chosen = _chosen(view)
    listed = _listed(view)
    return html.Div(
        [
            detail(view, reader, chosen, can_act=asked.can_act, has_names=asked.has_names) if chosen else None,
            _tiles(view, reader),
            None if is_report else _choices(view),
            card(
                "Incidents over time",
                graph(
                    figures.timeline(
                        listed,
                        view.window.previous_start,
                        max([view.window.end, *listed["last_signal_at"].drop_nulls().to_list()]),
                    ),
                    "Incidents per workflow over time, from estimated onset to last signal",
                ),
                key="incident_timeline",
                lead="Open mark: estimated onset. Filled mark: detected. Times are UTC.",
                wide=True,
            )
            if listed.height
            else None,
            _incidents(view, listed, is_report=is_report),
            watched(asked),
            _precision(reader),
            *(_reported(view, reader) if is_report else ()),
        ]
    )


def _quiet(view: View) -> html.Section:
    who = f"Nothing drifts in {text.plain(view.filters.workflow)}" if view.filters.workflow else "Nothing drifts"
    return notice(
        who,
        f"No incident since {text.when(view.window.previous_start)}, and none is open. "
        f"{text.count(view.extent.runs)} runs have been watched until {text.when(view.extent.latest_at)}.",
        "A new stream warms up first: it alarms once it has learned what is usual.",
        commands=("plumbline alerts list",),
    )


def _chosen(view: View) -> dict[str, Any] | None:
    rows = (
        view.incidents.filter(pl.col("incident_id") == view.filters.incident).to_dicts()
        if view.filters.incident
        else []
    )
    return rows[0] if rows else None


def _listed(view: View) -> pl.DataFrame:
    """The incidents of the family and the state in the address."""
    shown = view.incidents
    if view.filters.state:
        shown = shown.filter(state=view.filters.state)
    if view.filters.family:
        of_any = pl.concat_list("family", pl.col("families").fill_null([]))
        shown = shown.filter(of_any.list.contains(view.filters.family))
    return shown


def _choices(view: View) -> html.Nav:
    """Links that narrow the list to a family or a state; the counts are of what each would show."""
    rows = view.incidents
    states = [(name, name.capitalize()) for name in STATES if name in set(rows["state"])]
    of_any = pl.concat_list("family", pl.col("families").fill_null([])).list.unique()
    found = set(rows.select(of_any.explode()).to_series())
    of_families = [(name, title) for name, (title, *_) in FAMILIES.items() if name in found]
    return html.Nav(
        [_choice(view, "family", "All families", of_families), _choice(view, "state", "All states", states)],
        className="choose",
        **attributes(aria_label="Narrow the incidents"),
    )


def _choice(view: View, filtered: str, everything: str, offered: list[tuple[str, str]]) -> html.Div:
    chosen = getattr(view.filters, filtered)
    links = [
        html.Span(title, className="choice current", **attributes(aria_current="true"))
        if chosen == name
        else dcc.Link(title, href=PATH + view.filters.search(**{filtered: name}), className="choice")
        for name, title in [(None, everything), *offered]
    ]
    return html.Div(links, className="choices-of")


def _tiles(view: View, reader: Reader) -> html.Div:
    open_rows = view.incidents.filter(pl.col("state").is_in(OPEN_STATES))
    opened = view.incidents.filter(pl.col("opened_at") >= view.window.start)
    delays = view.incidents.select((pl.col("opened_at") - pl.col("onset_at")).drop_nulls().median()).item()
    confined = open_rows["workflow"].n_unique()
    return html.Div(
        [
            tile(
                "Open incidents",
                text.count(open_rows.height),
                key="open_incidents",
                foot=f"in {confined} of {len(view.extent.workflows)} workflows",
            ),
            tile(
                "Detected in this period",
                text.count(opened.height),
                key="incident_timeline",
                foot=view.window.name.lower(),
            ),
            tile(
                "Median time to detect",
                text.lasted(delays),
                key="incident_timeline",
                foot="from estimated onset to alarm",
            ),
            _alarms(view, reader),
        ],
        className="tiles four",
    )


def _alarms(view: View, reader: Reader) -> html.Div:
    """The false alarms beside what is allowed; the signals where an earlier version wrote the warehouse."""
    judged = _judged(reader)
    fleet = judged.filter(family="(all)").to_dicts() if not judged.is_empty() else []
    if not fleet:
        behind = f"behind {text.count(view.incidents.height)} incidents"
        return tile("Signals", text.count(view.signals.height), key="evidence", foot=behind)
    row = fleet[0]
    budget = row["budget_per_week"]
    allowed = f"{text.significant(budget)} allowed; " if budget is not None else ""
    return tile(
        "False alarms a week",
        text.significant(row["false_alarms_per_week"]) if row["acknowledged"] else text.UNKNOWN,
        key="precision",
        foot=f"{allowed}{text.count(row['acknowledged'])} of {text.count(row['incidents'])} incidents judged",
    )


def _reported(view: View, reader: Reader) -> list[html.Section]:
    rows = view.incidents.filter(pl.col("state").is_in(OPEN_STATES)).head(_MOST_REPORTED).to_dicts()
    return [detail(view, reader, row, is_report=True) for row in rows]


_PRECISION_COLUMNS = (
    Column("Family"),
    Column("Incidents", True),
    Column("Acknowledged", True),
    Column("Real", True),
    Column("False", True),
    Column("Were real"),
    Column("False alarms a week", True),
)


def _judged(reader: Reader) -> pl.DataFrame:
    """How many alarms were real; without rows in a warehouse of an earlier version. It reads the spans: no other page asks it."""
    return reader.kept("precision") if reader.has("alarm_precision") else pl.DataFrame()


def _precision(reader: Reader) -> html.Section | None:
    """Whether the alarms were right, by family, and the false ones beside the budget."""
    judged = _judged(reader)
    if judged.is_empty():
        return None
    rows = judged.to_dicts()
    budget, weeks = rows[0]["budget_per_week"], rows[0]["weeks"]
    allowed = "" if budget is None else f" Allowed for the whole fleet: {text.significant(budget)} a week."
    return card(
        "Were the alarms right?",
        table(
            _PRECISION_COLUMNS,
            [
                [
                    "All families" if row["family"] == "(all)" else family(row["family"]),
                    text.count(row["incidents"]),
                    text.count(row["acknowledged"]),
                    text.count(row["judged_real"]),
                    text.count(row["judged_false"]),
                    explained.precision(row),
                    text.significant(row["false_alarms_per_week"]) if row["acknowledged"] else text.UNKNOWN,
                ]
                for row in rows
            ],
            caption="What people said about the incidents, by family",
            kind="cards",
        ),
        key="precision",
        lead=html.Span(
            [
                "As judged with ",
                html.Code("plumbline alerts ack"),
                f", over {text.significant(weeks, 2)} {'week' if weeks == 1 else 'weeks'}.{allowed}",
            ]
        ),
        wide=True,
    )


def _incidents(view: View, listed: pl.DataFrame, *, is_report: bool) -> html.Section:
    rows = []
    for row in listed.iter_rows(named=True):
        strongest = leading(view, row)
        onset = row["onset_at"] or row["opened_at"]
        rows.append(
            [
                html.Div(
                    [
                        dcc.Link(
                            words.headline(row),
                            href="#" + anchor(row["incident_id"])
                            if is_report
                            else PATH + view.filters.search(incident=row["incident_id"]),
                            className="name",
                        ),
                        html.Span(text.plain(row["workflow"] or "unknown", 40), className="under"),
                    ],
                    className="stack",
                ),
                families(row),
                state(row["state"]),
                text.when(onset),
                html.Div(
                    [
                        html.Span(text.when(row["opened_at"])),
                        html.Span(f"after {text.lasted(row['opened_at'] - onset)}", className="under"),
                    ],
                    className="stack",
                ),
                html.Div(
                    [html.Span(values(strongest)), html.Span(words.metric(strongest), className="under")],
                    className="stack",
                ),
                f"{strongest['log_e']:.1f}" if strongest and strongest["log_e"] is not None else text.UNKNOWN,
                text.plain(strongest["cause"], 90) if strongest and strongest["cause"] else "none found",
            ]
        )
    if not rows:
        everything = dcc.Link("Show all", href=PATH + view.filters.search(family=None, state=None))
        return card("Incidents", html.P(["None of this family and state. ", everything], className="under"), wide=True)
    return card(
        "Incidents",
        table(_COLUMNS, rows, caption="Incidents, the newest first", kind="cards"),
        lead="The newest first. Those that are open follow with their evidence."
        if is_report
        else "The newest first. Open one to see its evidence.",
        wide=True,
    )


PAGE = Page(PATH, TITLE, "Drift", page, "drift.html", keeps=("incident", "family", "state"), is_live=True)

"""Drift and incidents: what changed, since when, how sure that is, and what to do first."""

from __future__ import annotations

from typing import Any

import polars as pl
from dash import dcc, html

from dashboards import mixes, text, words
from dashboards.data import Reader, View
from dashboards.figures import drift as figures
from dashboards.pages.figuring import OPEN_STATES
from dashboards.pages.parts import Column, card, family, graph, notice, pill, table, tile

PATH = "/drift"
TITLE = "Drift and incidents"

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


def page(view: View, reader: Reader) -> html.Div:
    """The drift page of the workflows and the period that `view` holds, with the chosen incident opened."""
    if view.incidents.is_empty():
        return html.Div([_quiet(view)])
    chosen = _chosen(view)
    return html.Div(
        [
            _detail(view, reader, chosen) if chosen else None,
            _tiles(view),
            card(
                "Incidents over time",
                graph(
                    figures.timeline(
                        view.incidents,
                        view.window.previous_start,
                        max([view.window.end, *view.incidents["last_signal_at"].drop_nulls().to_list()]),
                    ),
                    "Incidents per workflow over time, from estimated onset to last signal",
                ),
                key="incident_timeline",
                lead="Open mark: estimated onset. Filled mark: detected. Times are UTC.",
                wide=True,
            ),
            _incidents(view),
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


def _strongest(view: View, incident_id: str) -> dict[str, Any] | None:
    rows = view.signals.filter(pl.col("incident_id") == incident_id)
    return rows.row(0, named=True) if rows.height else None


def _tiles(view: View) -> html.Div:
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
            tile(
                "Signals",
                text.count(view.signals.height),
                key="evidence",
                foot=f"behind {text.count(view.incidents.height)} incidents",
            ),
        ],
        className="tiles four",
    )


def _families(row: dict[str, Any]) -> html.Div:
    # The strongest signal's family first, then the others that moved with it.
    others = [name for name in (row["families"] or []) if name != row["family"]]
    return html.Div([family(name) for name in (row["family"], *others)], className="families")


def _state(state: str | None) -> html.Span:
    tone = {"open": "bad", "acknowledged": "warn", "resolved": "good"}.get(state or "", "")
    return pill(text.plain(state or "unknown", 20), tone)


def _values(signal: dict[str, Any] | None) -> str:
    if signal is None:
        return text.UNKNOWN
    if signal["kind"] == "mix":
        moved = mixes.shares(signal["detail"])
        if moved:
            most = moved[0]
            return f"{text.plain(most.name, 40)}: {text.percent(most.before)} → {text.percent(most.after)}"
    return f"{text.measure(signal['before_value'], signal['unit'])} → {text.measure(signal['after_value'], signal['unit'])}"


def _incidents(view: View) -> html.Section:
    rows = []
    for row in view.incidents.iter_rows(named=True):
        strongest = _strongest(view, row["incident_id"])
        onset = row["onset_at"] or row["opened_at"]
        rows.append(
            [
                html.Div(
                    [
                        dcc.Link(
                            words.headline(row),
                            href=PATH + view.filters.search(incident=row["incident_id"]),
                            className="name",
                        ),
                        html.Span(text.plain(row["workflow"] or "unknown", 40), className="under"),
                    ],
                    className="stack",
                ),
                _families(row),
                _state(row["state"]),
                text.when(onset),
                html.Div(
                    [
                        html.Span(text.when(row["opened_at"])),
                        html.Span(f"after {text.lasted(row['opened_at'] - onset)}", className="under"),
                    ],
                    className="stack",
                ),
                html.Div(
                    [html.Span(_values(strongest)), html.Span(words.metric(strongest), className="under")],
                    className="stack",
                ),
                text.significant(strongest["log_e"]) if strongest and strongest["log_e"] is not None else text.UNKNOWN,
                text.plain(strongest["cause"], 90) if strongest and strongest["cause"] else "none found",
            ]
        )
    return card(
        "Incidents",
        table(_COLUMNS, rows, caption="Incidents, the newest first", kind="cards"),
        lead="The newest first. Open one to see its evidence.",
        wide=True,
    )


def _detail(view: View, reader: Reader, row: dict[str, Any]) -> html.Section:
    signals = view.signals.filter(pl.col("incident_id") == row["incident_id"]).to_dicts()
    strongest = signals[0] if signals else None
    onset = row["onset_at"] or row["opened_at"]
    facts = [
        (
            "Workflow",
            dcc.Link(
                text.plain(row["workflow"] or "unknown", 60),
                href=PATH + view.filters.search(workflow=row["workflow"], incident=row["incident_id"]),
            ),
        ),
        ("Severity", text.plain(row["severity"] or "unknown", 20)),
        ("Began (estimated)", text.when(onset, seconds=True)),
        ("Detected", f"{text.when(row['opened_at'], seconds=True)}, after {text.lasted(row['opened_at'] - onset)}"),
        (
            "Likely cause",
            text.plain(strongest["cause"], 300)
            if strongest and strongest["cause"]
            else "No version, price or tool changed near the onset.",
        ),
        (
            "Do first",
            text.plain(strongest["containment"], 300) if strongest and strongest["containment"] else text.UNKNOWN,
        ),
    ]
    pairs = [part for term, value in facts for part in (html.Dt(term), html.Dd(value))]
    runs = [run for run in (row["run_ids"] or []) if run][:12]
    return html.Section(
        [
            html.Div(
                [
                    html.H2(words.headline(row, 200)),
                    dcc.Link("Close", href=PATH + view.filters.search(incident=None), className="close"),
                ],
                className="card-head",
            ),
            html.Div(
                [_families(row), _state(row["state"]), html.Code(text.plain(row["incident_id"], 60), className="id")],
                className="pills",
            ),
            html.Div(
                [
                    html.Dl(pairs, className="facts"),
                    html.Div(
                        [
                            html.H3("Evidence runs"),
                            html.Ul([html.Li(html.Code(text.plain(run, 40))) for run in runs], className="runs"),
                        ]
                    )
                    if runs
                    else None,
                ],
                className="detail-head",
            ),
            html.H3(f"What was measured ({len(signals)} {'signal' if len(signals) == 1 else 'signals'})"),
            html.Div([_signal(view, reader, signal) for signal in signals[:6]], className="smalls two"),
        ],
        className="card wide detail",
        id="incident",
    )


def _signal(view: View, reader: Reader, signal: dict[str, Any]) -> html.Div:
    strength = (
        f"log e-value {text.significant(signal['log_e'])} (alarm at {text.significant(signal['threshold'])})"
        if signal["log_e"] is not None and signal["threshold"] is not None
        else ""
    )
    counts = f"{text.count(signal['n_before'])} observations before, {text.count(signal['n_after'])} after"
    return html.Div(
        [
            html.Div(
                [html.Strong(words.metric(signal).capitalize()), html.Span(_values(signal))], className="small-head"
            ),
            html.P(" · ".join(part for part in (strength, counts) if part), className="under"),
            _picture(view, reader, signal),
        ],
        className="small",
    )


def _picture(view: View, reader: Reader, signal: dict[str, Any]) -> html.Figure | html.P | None:
    described = f"{words.metric(signal)}: {_values(signal)}"
    moved = mixes.shares(signal["detail"]) if signal["kind"] == "mix" else []
    if moved:
        return graph(figures.shares(moved), described)
    points = reader.evidence(signal, view.extent.latest_at)
    if points.height > 1:
        level = figures.Level(
            signal["before_value"],
            signal["after_value"],
            signal["unit"],
            signal["onset_at"] or signal["at"],
            signal["at"],
        )
        return graph(figures.evidence(points, level), described)
    return None

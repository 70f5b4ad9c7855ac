"""One incident: what changed, since when, how sure that is, why, what may be done, and what was measured."""

from __future__ import annotations

from typing import Any

import polars as pl

from dashboards import explained, mixes, text, words
from dashboards.data import Reader, View
from dashboards.elements import dcc, html
from dashboards.figures import drift as figures
from dashboards.pages import acting, releases, told
from dashboards.pages.parts import Column, family, graph, how, pill, run_link, table

PATH = "/drift"

# More signals than this say the same again.
_MOST_SIGNALS = 8
_MOST_CHANGES = 20


def leading(view: View, incident: dict[str, Any]) -> dict[str, Any] | None:
    """The signal that the incident's headline speaks of, else its strongest one."""
    signals = view.signals.filter(pl.col("incident_id") == incident["incident_id"])
    # An incident of an earlier version names no signal: there, the one with its headline leads.
    is_named = (
        pl.col("signal_id") == incident["leading_signal_id"]
        if incident.get("leading_signal_id")
        else pl.col("headline") == incident["headline"]
    )
    named = signals.filter(is_named)
    return (named if named.height else signals).row(0, named=True) if signals.height else None


def families(row: dict[str, Any]) -> html.Div:
    """The families of drift that an incident touches."""
    # The strongest signal's family first, then the others that moved with it.
    others = [name for name in (row["families"] or []) if name != row["family"]]
    return html.Div([family(name) for name in (row["family"], *others)], className="families")


def state(name: str | None) -> html.Span:
    """The state of an incident."""
    tone = {"open": "bad", "acknowledged": "warn", "resolved": "good"}.get(name or "", "")
    return pill(text.plain(name or "unknown", 20), tone)


def values(signal: dict[str, Any] | None) -> str:
    """A signal's value before and after, with its unit; what a rule saw."""
    if signal is None:
        return text.UNKNOWN
    if signal["kind"] == "rule":
        return text.plain(signal["headline"] or "a rule was broken", 200)
    if signal["kind"] == "mix":
        moved = mixes.shares(signal["detail"])
        if moved:
            most = moved[0]
            return f"{text.plain(most.name, 40)}: {text.percent(most.before)} → {text.percent(most.after)}"
    return f"{text.measure(signal['before_value'], signal['unit'])} → {text.measure(signal['after_value'], signal['unit'])}"


def anchor(incident_id: str) -> str:
    """Where a static page shows an incident."""
    return "incident-" + text.plain(incident_id, 64).replace(" ", "-")


def detail(
    view: View,
    reader: Reader,
    row: dict[str, Any],
    *,
    is_report: bool = False,
    can_act: bool = False,
    has_names: bool = False,
) -> html.Section:
    """An incident with its evidence.

    Parameters
    ----------
    row : dict
        Row of ``incidents``.
    is_report : bool
        One of several on a static page: it can't be closed, and its anchor carries its id.
    can_act : bool
        Whether the API is there to take an answer; else the page shows the command.
    has_names : bool
        Whether an answer is noted under the name that one signed in with.
    """
    signals = view.signals.filter(pl.col("incident_id") == row["incident_id"]).to_dicts()
    strongest = leading(view, row)
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
        ("Began (estimated)", explained.onset(strongest) if strongest else text.when(onset, seconds=True)),
        ("Detected", f"{text.when(row['opened_at'], seconds=True)}, after {text.lasted(row['opened_at'] - onset)}"),
        ("Likely cause", _cause(view, row, strongest, is_report=is_report)),
        (
            "Do first",
            text.plain(strongest["containment"], 300) if strongest and strongest["containment"] else text.UNKNOWN,
        ),
        *_also(strongest),
        ("Judged", _judged(view, row, can_act=can_act)),
        *_silenced(row),
    ]
    pairs = [part for term, value in facts for part in (html.Dt(term), html.Dd(value))]
    runs = [run for run in (row["run_ids"] or []) if run][:12]
    return html.Section(
        [
            html.Div(
                [
                    html.H2(words.headline(row, 200)),
                    None
                    if is_report
                    else dcc.Link("Close", href=PATH + view.filters.search(incident=None), className="close"),
                ],
                className="card-head",
            ),
            html.Div(
                [families(row), state(row["state"]), html.Code(text.plain(row["incident_id"], 60), className="id")],
                className="pills",
            ),
            html.Div(
                [
                    html.Dl(pairs, className="facts"),
                    html.Div(
                        [
                            html.H3("Evidence runs"),
                            html.Ul([html.Li(run_link(run)) for run in runs], className="runs"),
                        ]
                    )
                    if runs
                    else None,
                ],
                className="detail-head",
            ),
            acting.controls(row, has_names=has_names) if can_act else None,
            *_causes(strongest),
            *_happened(reader, row),
            *(told.log(reader, row["incident_id"]) if not is_report else ()),
            html.H3(f"What was measured ({len(signals)} {'signal' if len(signals) == 1 else 'signals'})"),
            html.Div([_signal(view, reader, signal) for signal in signals[:_MOST_SIGNALS]], className="smalls two"),
        ],
        className="card wide detail",
        id=anchor(row["incident_id"]) if is_report else "incident",
    )


def _cause(view: View, row: dict[str, Any], signal: dict[str, Any] | None, *, is_report: bool) -> Any:
    """The likeliest cause, with a way to the comparison where it is a release that was compared."""
    if not signal or not signal["cause"]:
        return "No version, price or tool changed near the onset."
    said = text.plain(signal["cause"], 300)
    moved = explained.releases(signal.get("causes"))
    if is_report or moved is None or view.comparisons.is_empty():
        return said
    before, after = moved
    if view.comparisons.filter(workflow=row["workflow"], from_release=before, to_release=after).is_empty():
        return said
    return html.Span([said, " ", dcc.Link("Compare them", href=releases.link(view, row["workflow"], before, after))])


def _also(signal: dict[str, Any] | None) -> list[tuple[str, Any]]:
    """The other actions that the catalog allows."""
    others = explained.actions(signal.get("actions"))[1:] if signal else []
    return [("Else", html.Ul([html.Li(each) for each in others], className="choices"))] if others else []


def _silenced(row: dict[str, Any]) -> list[tuple[str, Any]]:
    until = row.get("silenced_until")
    return [("Silenced", f"until {text.when(until)}")] if row["state"] == "silenced" and until else []


_HAPPENED = {
    "opened": "Opened",
    "acknowledged": "Acknowledged",
    "judged_false": "Judged a false alarm",
    "silenced": "Silenced",
    "silence_ended": "The silence ended",
    "unsilenced": "Silence ended early",
    "resolved": "Resolved",
    "resolved_itself": "Resolved by itself",
    "reopened": "Reopened",
    "merged": "Went into another incident",
    "took_in": "Took another incident in",
}
_HAPPENED_COLUMNS = (Column("What happened"), Column("When"), Column("Who"), Column("Why"))


def _happened(reader: Reader, row: dict[str, Any]) -> list[Any]:
    """What people and time did with the incident, the latest first; nothing where it has only been opened."""
    if not reader.has("incident_changes"):
        return []
    changes = reader.rows("changes", [row["incident_id"], _MOST_CHANGES]).to_dicts()
    if not any(change["kind"] != "opened" for change in changes):
        return []
    rows = [
        [
            _HAPPENED.get(change["kind"], text.plain(change["kind"], 40))
            + (f" until {text.when(change['silenced_until'])}" if change["silenced_until"] else ""),
            text.when(change["at"]),
            text.plain(change["said_by"], 120) if change["said_by"] else text.UNKNOWN,
            text.plain(change["why"], 300) if change["why"] else text.UNKNOWN,
        ]
        for change in changes
    ]
    return [
        html.H3("What happened to it"),
        table(_HAPPENED_COLUMNS, rows, caption="What happened to the incident, the latest first", kind="cards"),
    ]


def _judged(view: View, row: dict[str, Any], *, can_act: bool) -> Any:
    """What a person said about the incident, or how to say it."""
    known = (
        view.judgements.filter(pl.col("incident_id") == row["incident_id"]).to_dicts()
        if "incident_id" in view.judgements.columns
        else []
    )
    if not known and can_act:
        return "not yet"
    if not known:
        command = f"plumbline alerts ack {text.plain(row['incident_id'], 60)} --as real|false"
        return html.Span(["not yet: ", html.Code(command)])
    said = known[0]
    by = f" by {text.plain(said['said_by'], 60)}" if said["said_by"] else ""
    note = f": {text.plain(said['note'], 300)}" if said["note"] else ""
    judgement = "resolved by itself" if said["judgement"] == "resolved_itself" else text.plain(said["judgement"], 20)
    return f"{judgement}{by}, {text.when(said['stated_at'])}{note}"


_CAUSE_COLUMNS = (
    Column("Changed near the onset"),
    Column("Before → after"),
    Column("When"),
    Column("Runs moved", True),
    Column("Score", True, key="causes"),
)


def _causes(signal: dict[str, Any] | None) -> list[Any]:
    """What changed near the onset, ranked."""
    found = explained.causes(signal.get("causes")) if signal else []
    if not found:
        return []
    rows = [
        [
            cause.name,
            f"{cause.before} → {cause.after}",
            text.when(cause.changed_at),
            text.percent(cause.separates, 0),
            text.UNKNOWN if cause.score is None else f"{cause.score:.2f}",
        ]
        for cause in found
    ]
    return [
        html.H3("What may have caused it"),
        table(_CAUSE_COLUMNS, rows, caption="What changed near the onset, the likeliest first", kind="cards"),
    ]


def _signal(view: View, reader: Reader, signal: dict[str, Any]) -> html.Div:
    strength = (
        f"log e-value {signal['log_e']:.1f} (alarm at {signal['threshold']:.1f})"
        if signal["log_e"] is not None and signal["threshold"] is not None
        else ""
    )
    counts = (
        f"{text.count(signal['n_before'])} observations before, {text.count(signal['n_after'])} after"
        if signal["kind"] != "rule"
        else "a rule: certain, without statistics"
    )
    compared = explained.compared(signal)
    return html.Div(
        [
            html.Div(
                [html.Strong(words.metric(signal).capitalize()), html.Span(values(signal))], className="small-head"
            ),
            html.P(
                " · ".join(part for part in (explained.size(signal), f"since {explained.onset(signal)}") if part),
                className="under",
            ),
            html.P(" · ".join(part for part in (strength, counts) if part), className="under"),
            html.P([compared, " ", how("two_sample")], className="under") if compared else None,
            _picture(view, reader, signal),
        ],
        className="small",
    )


def _picture(view: View, reader: Reader, signal: dict[str, Any]) -> html.Figure | html.P | None:
    if signal["kind"] == "rule":
        return None  # it has no level to draw; the rate beside it has
    described = f"{words.metric(signal)}: {values(signal)}"
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

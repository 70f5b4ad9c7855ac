"""Policy: what was decided and under which version, what was done against it, and what became of approvals."""

from __future__ import annotations

import polars as pl
from dash import html

from dashboards import text, words
from dashboards.cohorts import is_ratio_within_noise
from dashboards.data import View
from dashboards.figures import policy as figures
from dashboards.figures.sparkline import sparkline
from dashboards.governing import (
    JUDGED,
    KINDS,
    STRAYED,
    Governed,
    Version,
    denials,
    governed,
    over_time,
    versions,
)
from dashboards.pages.asked import Asked, Page
from dashboards.pages.empty import not_refreshed, nothing_matches
from dashboards.pages.parts import Column, card, graph, notice, pill, run_link, stack, table, tile
from dashboards.words import Delta

PATH = "/policy"
TITLE = "Policy"
MARTS = frozenset({"policy_events_hourly", "policy_findings"})

_MOST_ROWS, _MOST_RUNS = 60, 6

_VERSION_COLUMNS = (
    Column("Policy"),
    Column("Version"),
    Column("Standing", key="policy_versions"),
    Column("In force since"),
    Column("Decisions", True),
    Column("Denied", True),
    Column("Last decision"),
)
_KIND_COLUMNS = (
    Column("What was done"),
    Column("By what"),
    Column("Times", True, key="policy_findings"),
    Column("Runs", True),
    Column("Before", True),
    Column("Workflows"),
    Column("Latest"),
)
_RUN_COLUMNS = (Column("Run"), Column("What was done"), Column("By what"), Column("Workflow"), Column("When"))
_RULE_COLUMNS = (
    Column("Policy and rule"),
    Column("Denied", True),
    Column("Escalated or redacted", True),
    Column("Before", True),
    Column("Workflows", True),
)


def page(asked: Asked) -> html.Div:
    """What policies and people decided in the workflows and the period that were asked for, and what was done against it."""
    view, reader = asked.view, asked.reader
    if not set(reader.rows("tables")["table_name"]) >= MARTS:
        return html.Div([not_refreshed("Policy decisions")])
    scope = view.parameters()
    events = reader.rows("policy_events", scope)
    findings = reader.rows("policy_findings", [*scope[:6], *scope[7:]])
    if events.filter(span="current").is_empty() and findings.filter(span="current").is_empty():
        return html.Div([_nothing(view)])
    chosen = view.filters
    of = [view.window.start, view.window.end, chosen.workflow, chosen.environment, chosen.team, chosen.release]
    declared = reader.rows("policy_versions")
    return html.Div(
        [
            html.P(_summary(view, events, findings), className="summary"),
            _tiles(view, events, findings, is_declared=not declared.is_empty()),
            _pictures(view, events),
            _kinds(view, findings),
            _runs(reader.rows("policy_runs", [*of, _MOST_RUNS])),
            _versions(versions(events, declared, view.window), is_declared=not declared.is_empty()),
            _rules(view, events),
        ]
    )


def _nothing(view: View) -> html.Section:
    if view.filters.search(period=None):
        return nothing_matches(view, "policy decision")
    return notice(
        "No policy decision yet",
        f"None of {text.count(view.extent.runs)} runs carries a decision of a policy or an approval.",
        "Send them as span events: plumbline.policy.decision with the policy, its version, the rule and the action; "
        "plumbline.approval with its status.",
        commands=('plumbline sql "SELECT count(*) FROM policy_decisions"',),
    )


def _summary(view: View, events: pl.DataFrame, findings: pl.DataFrame) -> str:
    now = governed(events.filter(span="current"))
    breaches = findings.filter(pl.col("span") == "current", pl.col("is_breach"))
    count = int(breaches["events"].sum())
    said = (
        f"{text.count(now.decisions)} policy decisions, {text.percent(now.adherence)} of them allowed the action"
        if now.decisions
        else "No policy decision"
    )
    if count:
        runs = int(breaches["runs"].sum())
        kind, where = "breach" if count == 1 else "breaches", "run" if runs == 1 else "runs"
        said += f"; {text.count(count)} {kind} in {text.count(runs)} {where}"
    else:
        said += "; nothing was done against a decision or without a required approval"
    if now.strayed:
        said += f"; {text.count(now.strayed)} decisions under a version that is outdated or unknown"
    return said + "."


def _tiles(view: View, events: pl.DataFrame, findings: pl.DataFrame, *, is_declared: bool) -> html.Div:
    now = governed(events.filter(span="current"))
    before = governed(events.filter(span="previous")) if view.window.is_comparable else None
    breaches = findings.filter(pl.col("is_breach"))
    count = int(breaches.filter(span="current")["events"].sum())
    earlier = int(breaches.filter(span="previous")["events"].sum())
    against = view.window.previous_name
    split = events.filter(span="previous")["bucket_at"].n_unique()
    is_decision = pl.col("what") == "decision"
    is_end = (pl.col("what") == "approval") & (pl.col("result") != "requested")
    return html.Div(
        [
            tile(
                "Policy adherence",
                text.percent(now.adherence),
                key="policy_adherence",
                coverage=f"{text.count(now.decisions)} policy decisions",
                change=_moved(view, now, before, "allowed", "decisions", lower_is_better=False),
                foot=f"{text.count(now.decisions - now.allowed)} of {text.count(now.decisions)} decisions did not allow"
                if now.decisions
                else "no policy decision seen",
                trend=sparkline(
                    over_time(events, is_decision & (pl.col("result") == "allow"), is_decision), split=split
                ),
            ),
            tile(
                "Breaches",
                text.count(count),
                key="policy_findings",
                change=words.changed(count, earlier, against=against, lower_is_better=True)
                if view.window.is_comparable
                else None,
                foot=_breaches(breaches.filter(span="current")),
            ),
            tile(
                "Outdated or unknown version",
                text.percent(now.strayed_share) if is_declared else text.UNKNOWN,
                key="policy_versions",
                coverage=f"{text.count(now.judged)} of {text.count(now.decisions)} decisions can be judged",
                change=_moved(view, now, before, "strayed", "judged", lower_is_better=True),
                foot=f"{text.count(now.strayed)} of {text.count(now.judged)} decisions"
                if is_declared
                else "the catalog declares no policies",
                trend=sparkline(
                    over_time(events, pl.col("standing").is_in(STRAYED), pl.col("standing").is_in(JUDGED)), split=split
                )
                if now.strayed
                else "",
            ),
            tile(
                "Approvals bypassed",
                text.percent(now.bypassed_share),
                key="approvals",
                coverage=f"{text.count(now.settled)} approvals came to an end",
                change=_moved(view, now, before, "bypassed", "settled", lower_is_better=True),
                foot=f"{text.count(now.bypassed)} of {text.count(now.settled)}; {text.count(now.granted)} granted, "
                f"{text.count(now.refused)} denied"
                if now.settled
                else "no approval seen",
                trend=sparkline(over_time(events, pl.col("result") == "bypassed", is_end), split=split)
                if now.bypassed
                else "",
            ),
        ],
        className="tiles four",
    )


def _moved(
    view: View, now: Governed, before: Governed | None, part: str, whole: str, *, lower_is_better: bool
) -> Delta | None:
    if before is None:
        return None
    sums = [float(getattr(row, name)) for row in (now, before) for name in (part, whole)]
    if not (sums[1] and sums[3]):
        return None
    return words.moved(
        sums[0] / sums[1],
        sums[2] / sums[3],
        against=view.window.previous_name,
        lower_is_better=lower_is_better,
        noise=is_ratio_within_noise(*sums),
    )


def _breaches(found: pl.DataFrame) -> str:
    if found.is_empty():
        return "nothing was done against a decision"
    by = dict(found.group_by("kind").agg(pl.col("events").sum()).iter_rows())
    return "; ".join(f"{text.count(by[kind])} {kind}" for kind in KINDS if kind in by)


def _pictures(view: View, events: pl.DataFrame) -> html.Div | None:
    decisions = events.filter(what="decision")
    ended = events.filter((pl.col("what") == "approval") & (pl.col("result") != "requested"))
    drawn = [
        card(
            "What was not allowed",
            graph(
                figures.decisions(decisions, view.window),
                "Share of policy decisions that denied, escalated or redacted, over time",
            ),
            key="policy_adherence",
            lead="Share of all decisions; the rest allowed the action.",
        )
        if decisions.height
        else None,
        card(
            "What became of approvals",
            graph(figures.approvals(ended, view.window), "Approvals granted, denied and bypassed over time"),
            key="approvals",
            lead="Approvals that came to an end. Bypassed: passed over, though one was asked for.",
        )
        if ended.height
        else None,
    ]
    shown = [each for each in drawn if each is not None]
    return html.Div(shown, className="pair") if shown else None


def _kinds(view: View, findings: pl.DataFrame) -> html.Section:
    now = findings.filter(span="current")
    before = {
        (row["kind"], row["name"], row["detail"]): row["events"]
        for row in findings.filter(span="previous").iter_rows(named=True)
    }
    order = list(KINDS)
    shown = sorted(now.to_dicts(), key=lambda row: (order.index(row["kind"]), -row["events"], row["name"] or ""))
    if not shown:
        return card(
            "Done against a policy, an approval or the catalog",
            html.P("Nothing in this period.", className="under"),
            key="policy_findings",
            wide=True,
        )
    rows = [
        [
            stack(pill(row["kind"], "bad" if row["is_breach"] else "warn"), KINDS[row["kind"]]),
            stack(text.plain(row["name"] or "not named", 48), text.plain(row["detail"], 60) if row["detail"] else None),
            text.count(row["events"]),
            text.count(row["runs"]),
            text.count(before.get((row["kind"], row["name"], row["detail"]), 0))
            if view.window.is_comparable
            else text.UNKNOWN,
            _workflows(row["workflows"] or []),
            text.when(row["latest_at"]),
        ]
        for row in shown[:_MOST_ROWS]
    ]
    hidden = len(shown) - len(rows)
    return card(
        "Done against a policy, an approval or the catalog",
        table(_KIND_COLUMNS, rows, caption="What was done against a policy, the worst first", kind="cards"),
        html.P(f"{hidden} more are in table policy_findings.", className="under") if hidden > 0 else None,
        key="policy_findings",
        lead="The worst first. Red is a breach: it counts on the scorecard.",
        wide=True,
    )


def _workflows(names: list[str]) -> str:
    shown = ", ".join(text.plain(name, 32) for name in names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown


def _runs(found: pl.DataFrame) -> html.Section | None:
    """The newest runs of each kind of finding."""
    if found.is_empty():
        return None
    rows = [
        [
            run_link(row["run_id"]),
            pill(row["kind"], "bad" if row["is_breach"] else "warn"),
            stack(text.plain(row["name"] or "not named", 48), text.plain(row["detail"], 60) if row["detail"] else None),
            text.plain(row["workflow"], 40),
            text.when(row["first_at"]),
        ]
        for row in found.head(_MOST_ROWS).iter_rows(named=True)
    ]
    return card(
        "The runs",
        table(_RUN_COLUMNS, rows, caption="The newest runs that did so, breaches first", kind="cards"),
        lead=f"The newest {_MOST_RUNS} of each kind, breaches first; table policy_findings has all.",
        wide=True,
    )


_TONES = {
    "in force": "good",
    "outdated": "bad",
    "unknown version": "bad",
    "unknown policy": "warn",
    "not stated": "warn",
}


def _versions(found: list[Version], *, is_declared: bool) -> html.Section | None:
    if not found:
        return None
    rows = [
        [
            html.Span(text.plain(row.policy or "not named", 48), className="name"),
            html.Code(text.plain(row.version, 40)) if row.version else text.UNKNOWN,
            stack(pill(row.standing, _TONES.get(row.standing, "")), _standing(row)),
            text.when(row.effective_at),
            text.count(row.decisions),
            text.count(row.denied),
            text.when(row.last_at),
        ]
        for row in found[:_MOST_ROWS]
    ]
    return card(
        "Policies and their versions",
        table(_VERSION_COLUMNS, rows, caption="Versions of policies, those that need somebody first", kind="cards"),
        key="policy_versions",
        lead="Versions that decided in this period, and those that are in force or will be. Those that need somebody first."
        if is_declared
        else html.Span(
            ["The catalog declares no policies: add them below ", html.Code("policies:"), " to see what is outdated."]
        ),
        wide=True,
    )


def _standing(row: Version) -> str | None:
    if row.is_in_force and row.decisions == 0:
        return "in force, and nothing was decided under it"
    if row.standing == "outdated" and row.decisions > row.strayed:
        return f"{text.count(row.strayed)} decisions came after the next one"
    return None


def _rules(view: View, events: pl.DataFrame) -> html.Section | None:
    found = denials(events)
    if not found:
        return None
    rows = [
        [
            stack(
                html.Span(text.plain(row["name"] or "not named", 48), className="name"),
                text.plain(row["rule"], 80) if row["rule"] else "no rule named",
            ),
            text.count(row["denied"]),
            text.count(row["others"]),
            text.count(row["before"]) if view.window.is_comparable else text.UNKNOWN,
            text.count(row["workflows"]),
        ]
        for row in found[:20]
    ]
    return card(
        "Rules that stop most",
        table(_RULE_COLUMNS, rows, caption="Rules that did not allow an action, the most frequent first", kind="cards"),
        lead="A rule that stops much either guards what agents should not try, or is too narrow.",
        wide=True,
    )


PAGE = Page(PATH, TITLE, "Policy", page, "policy.html")

"""Policy: what was decided and under which version, what was done against it, and what became of approvals."""

from __future__ import annotations

import polars as pl

from dashboards import text, words
from dashboards.cohorts import is_ratio_within_noise
from dashboards.data import View
from dashboards.elements import html
from dashboards.figures import policy as figures
from dashboards.figures.sparkline import sparkline
from dashboards.governing import JUDGED, KINDS, STRAYED, Governed, governed, over_time, versions
from dashboards.pages import policies
from dashboards.pages.asked import Asked, Page
from dashboards.pages.empty import not_refreshed, nothing_matches
from dashboards.pages.parts import card, graph, notice, tile
from dashboards.words import Delta

PATH = "/policy"
TITLE = "Policy"
MARTS = frozenset({"policy_events_hourly", "policy_findings"})


def page(asked: Asked) -> html.Div:
    """What policies and people decided in the workflows and the period that were asked for, and what was done against it."""
    view, reader = asked.view, asked.reader
    if not reader.has(*MARTS):
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
            policies.kinds(view, findings),
            policies.runs(reader.rows("policy_runs", [*of, policies.MOST_RUNS])),
            policies.by_workflow(view, events),
            policies.versions(versions(events, declared, view.window), is_declared=not declared.is_empty()),
            policies.rules(view, events),
        ]
    )


def scope(view: View) -> list[str]:
    """The period: everything on this page is filtered by everything in the address."""
    return view.scope()[:1]


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


PAGE = Page(PATH, TITLE, "Policy", page, "policy.html", scope=scope)

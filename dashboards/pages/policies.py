"""The tables of the policy page: what was done against a policy and in which runs, workflows, versions, and rules."""

from __future__ import annotations

import polars as pl

from dashboards import text
from dashboards.data import View
from dashboards.elements import dcc, html
from dashboards.governing import KINDS, Version, denials, governed
from dashboards.pages.parts import Column, card, pill, run_link, stack, table

PATH = "/policy"
#: Runs shown of each kind of finding.
MOST_RUNS = 4
_MOST_ROWS = 60

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


_WORKFLOW_COLUMNS = (
    Column("Workflow"),
    Column("Decisions", True),
    Column("Allowed", True, key="policy_adherence"),
    Column("Denied, but done", True, key="policy_findings"),
    Column("Outdated or unknown version", True, key="policy_versions"),
    Column("Approvals bypassed", True, key="approvals"),
)


def by_workflow(view: View, events: pl.DataFrame) -> html.Section | None:
    """What was decided in each workflow, those with most against a decision first."""
    now = events.filter(span="current")
    parts = {str(name): governed(part) for (name,), part in now.partition_by("workflow", as_dict=True).items()}
    if len(parts) < 2:
        return None
    order = sorted(parts.items(), key=lambda it: (-(it[1].carried_out + it[1].bypassed + it[1].strayed), it[0]))
    rows = [
        [
            dcc.Link(text.plain(name, 48), href=PATH + view.filters.search(workflow=name), className="name"),
            text.count(row.decisions),
            text.percent(row.adherence),
            text.count(row.carried_out) if row.decisions else text.UNKNOWN,
            stack(text.percent(row.strayed_share), f"{text.count(row.strayed)} of {text.count(row.judged)}")
            if row.judged
            else text.UNKNOWN,
            stack(text.percent(row.bypassed_share), f"{text.count(row.bypassed)} of {text.count(row.settled)}")
            if row.settled
            else text.UNKNOWN,
        ]
        for name, row in order[:_MOST_ROWS]
    ]
    return card(
        "By workflow",
        table(_WORKFLOW_COLUMNS, rows, caption="Decisions and approvals per workflow", kind="cards"),
        lead="Those with most done against a decision first.",
        wide=True,
    )


def kinds(view: View, findings: pl.DataFrame) -> html.Section:
    """What was done against a policy, an approval or the catalog, the worst first."""
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


def runs(found: pl.DataFrame) -> html.Section | None:
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
        lead=f"The newest {MOST_RUNS} of each kind, breaches first; table policy_findings has all.",
        wide=True,
    )


_TONES = {
    "in force": "good",
    "outdated": "bad",
    "unknown version": "bad",
    "unknown policy": "warn",
    "not stated": "warn",
}


def versions(found: list[Version], *, is_declared: bool) -> html.Section | None:
    """Versions of policies, and whether they are the ones in force."""
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


def rules(view: View, events: pl.DataFrame) -> html.Section | None:
    """Rules that did not allow an action, the most frequent first."""
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

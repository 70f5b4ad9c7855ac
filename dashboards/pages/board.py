"""What a board asks of the scorecard: which workflows are safe to expand, and whether the fleet is kept in hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from dashboards import budgeting, text
from dashboards.bridging import reasons
from dashboards.controls import Control, controls
from dashboards.elements import dcc, html
from dashboards.expanding import Expansion, expansion
from dashboards.figures.sparkline import sparkline
from dashboards.pages.asked import Asked
from dashboards.pages.figuring import Figured
from dashboards.pages.parts import Column, attributes, card, delta, how, pill, spark, stack, table
from dashboards.pages.why import usage_of

_EXPANDING = (
    Column("Workflow", key="expansion"),
    Column("Verdict"),
    Column("What speaks against it"),
    Column("Cost against the period before"),
)
_CONTROLS = (
    Column("Figure"),
    Column("Now", True),
    Column("Change", True),
    Column("By day"),
    Column("Rests on", True),
)
# More conditions than this beside one workflow are counted.
_MOST = 4


def objectives(asked: Asked) -> dict[str, dict[str, Any]]:
    """The catalog's targets by workflow."""
    if "catalog_workflows" not in asked.reader.tables():
        return {}
    return {row["workflow"]: row for row in asked.reader.kept("objectives").iter_rows(named=True)}


def expansions(asked: Asked, shown: Figured) -> list[Expansion]:
    """The verdict of every workflow shown, the worst first."""
    there, given = asked.reader.tables(), asked.filters
    targets = objectives(asked)
    budgets: dict[str, tuple[str, str]] = {}
    if "budgets_monthly" in there:
        rows = asked.reader.kept("budgets", [given.workflow, None]).filter(pl.col("scope") == "workflow").to_dicts()
        budgets = {row["name"]: budgeting.standing(row) for row in rows}
    clauses: dict[str, list[dict[str, Any]]] = {}
    if "reliability_contract" in there:
        for row in asked.reader.kept("contract", [given.workflow]).iter_rows(named=True):
            clauses.setdefault(row["workflow"], []).append(row)
    found = [
        expansion(
            row,
            shown.before_by_workflow.get(row["workflow"]),
            incidents=shown.open_by_workflow.get(row["workflow"], 0),
            readiness=shown.readiness.get(row["workflow"]),
            clauses=clauses.get(row["workflow"]),
            objective=targets.get(row["workflow"]),
            budget=budgets.get(row["workflow"]),
        )
        for row in shown.workflows
    ]
    return sorted(found, key=lambda each: (each.verdict[2], each.workflow))


def summed_up(judged: list[Expansion], shown: Figured) -> str:
    """One sentence each on what is safe to expand, what drifts, and what costs more than it did or should."""

    def named(names: list[str]) -> str:
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        return ", ".join(text.plain(name, 32) for name in names[:3]) + more

    safe = [each.workflow for each in judged if each.verdict[2] == 2]
    drifting = sorted(shown.open_by_workflow.keys() & {each.workflow for each in judged})
    dear = sorted(
        each.workflow
        for each in judged
        if any(
            c.is_met is False and c.said.startswith(("a success costs", "cost per success", "budget"))
            for c in each.conditions
        )
    )
    parts = [f"Safe to expand: {named(safe)}." if safe else "No workflow is safe to expand as it is."]
    if drifting:
        parts.append(f"Drifting: {named(drifting)}.")
    if dear:
        parts.append(f"Costs more than it should or did: {named(dear)}.")
    return " ".join(parts)


def safe_to_expand(asked: Asked, shown: Figured, judged: list[Expansion]) -> html.Section:
    """The card with a verdict per workflow, what is missing, and why its cost moved."""
    usage = usage_of(asked) if asked.view.window.is_comparable else None
    now = {row["workflow"]: row for row in shown.workflows}
    rows = [_expansion_row(asked, shown, each, now[each.workflow], usage) for each in judged]
    return card(
        "Safe to expand?",
        table(_EXPANDING, rows, caption="Whether each workflow is safe to expand, the worst first", kind="cards"),
        lead=summed_up(judged, shown),
        wide=True,
    )


def _expansion_row(
    asked: Asked, shown: Figured, judged: Expansion, now: Mapping[str, Any], usage: pl.DataFrame | None
) -> list[Any]:
    verdict, tone, _ = judged.verdict
    against = judged.against
    items = [
        html.Li(
            condition.said,
            className="bad" if condition.is_met is False else "warn",
            **attributes(data_mark="✕" if condition.is_met is False else "?"),
        )
        for condition in against[:_MOST]
    ]
    if len(against) > _MOST:
        items.append(html.Li(f"and {len(against) - _MOST} more", **attributes(data_mark="…")))
    before = shown.before_by_workflow.get(judged.workflow)
    reason = reasons(asked.view.cohorts, usage, now, before, judged.workflow) if usage is not None else ""
    if not reason:
        reason = "no earlier period" if before is None else "within sampling"
    met = sum(1 for condition in judged.conditions if condition.is_met)
    return [
        dcc.Link(
            text.plain(judged.workflow, 40),
            href="/cost" + asked.filters.search(workflow=judged.workflow),
            className="name",
        ),
        stack(pill(verdict, tone), f"{met} of {len(judged.conditions)} conditions met"),
        html.Ul(items, className="conditions") if items else "nothing",
        html.Span(reason[:1].upper() + reason[1:], className="reason"),
    ]


def kept_in_hand(asked: Asked) -> html.Section | None:
    """The card with the figures of control; nothing in a warehouse without the mart."""
    if "scorecard_daily" not in asked.reader.tables():
        return None
    view, given = asked.view, asked.filters
    window = view.window
    scope = [window.previous_start, window.previous_end, window.start, window.end, given.workflow, given.team]
    found = controls(asked.reader.kept("control", scope))
    rows = [_control_row(each, window.previous_name) for each in found]
    lacking = asked.reader.kept("lacking", [given.workflow]) if "scorecard_gaps" in asked.reader.tables() else None
    return card(
        "Kept in hand",
        table(_CONTROLS, rows, caption="Figures of control, now and before", kind="cards"),
        _lacking(lacking) if lacking is not None else None,
        lead=(f"{asked.whole} together. " if asked.whole else "")
        + "Whole days of the period, all environments and releases. A dash is not zero: nothing in the traces tells it.",
        wide=True,
    )


def _control_row(figure: Control, against: str) -> list[Any]:
    trend = sparkline(list(figure.trend))
    return [
        html.Span([html.Span(figure.name, className="name"), how(figure.key)], className="with-how"),
        html.Strong(figure.shown),
        delta(figure.change(against)) or text.UNKNOWN,
        spark(trend, f"{figure.name} by day") if trend else text.UNKNOWN,  # an image without children is false
        text.counted(figure.rests_on, figure.rests_on_name) if figure.rests_on else text.UNKNOWN,
    ]


def _lacking(rows: pl.DataFrame) -> html.Details | None:
    """What can't be told, and what to send so that it can: the same gap of several workflows is one line."""
    if rows.is_empty():
        return None
    gaps = (
        rows.group_by("lacks", "to_do", maintain_order=True)
        .agg(pl.col("workflow").unique().sort(), pl.col("figure").unique().sort())
        .head(12)
    )
    lines = []
    for row in gaps.iter_rows(named=True):
        names = ", ".join(text.plain(name, 32) for name in row["workflow"][:4])
        more = f" and {len(row['workflow']) - 4} more" if len(row["workflow"]) > 4 else ""
        lines.append(
            html.Li(f"{names}{more}: {text.plain(row['lacks'], 160)}. To do: {text.plain(row['to_do'], 200)}.")
        )
    return html.Details([html.Summary(f"{rows.height} figures can't be told yet"), html.Ul(lines, className="said")])

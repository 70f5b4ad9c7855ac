"""Reuse: how much of the work certified components do, who uses which, and which tools were perhaps built twice."""

from __future__ import annotations

import polars as pl

from dashboards import text, words
from dashboards.data import View
from dashboards.elements import html
from dashboards.figures import reuse as figures
from dashboards.pages.asked import Asked, Page
from dashboards.pages.figuring import FLEET, figured
from dashboards.pages.parts import Column, card, graph, notice, pill, stack, table, tile
from dashboards.reusing import Component, Family, components, families

PATH = "/reuse"
TITLE = "Reuse of components"

_READ = ("component_uses_daily", "clone_candidates", "catalog_components", "catalog_tools")
_LISTED = 100
_FAMILIES = 40


def page(asked: Asked) -> html.Div:
    """Reuse in the period, and the component map."""
    view, reader = asked.view, asked.reader
    who = text.plain(view.filters.workflow or "this warehouse")
    if not reader.has(*_READ):
        return html.Div(
            [notice("Reuse is not computed yet", f"The marts of {who} are not built.", commands=("plumbline refresh",))]
        )
    found = components(reader.rows("component_uses", [view.window.start, view.window.end, view.filters.workflow]))
    if not found:
        return html.Div(
            [
                notice(
                    f"No component of {who} was used in {view.window.name.lower()}",
                    "A component is a tool, an agent, a prompt or a policy. They come from spans with gen_ai.tool.name, "
                    "gen_ai.agent.name, plumbline.prompt.version, and from events plumbline.policy.decision.",
                )
            ]
        )
    clones = reader.rows("clones", [view.filters.workflow]).to_dicts()
    copies = families(clones, reader.rows("invocations").item() or 0)
    return html.Div(
        [
            html.P(_summary(view, found, copies), className="summary"),
            _tiles(view, found, copies),
            _trend(view),
            _map(view, found),
            _clones(copies),
            _list(found),
        ]
    )


def _summary(view: View, found: list[Component], copies: list[Family]) -> str:
    certified = [one for one in found if one.is_certified]
    shared = sum(one.is_shared for one in certified)
    line = f"{len(certified)} of {len(found)} components in use are certified, {shared} of these in several workflows."
    if not certified:
        line += " Certify what several workflows need: components and tools in the catalog, certified: true."
    elif copies:
        line += f" {sum(len(one.others) for one in copies)} tools may be copies of another one."
    return line


def _tiles(view: View, found: list[Component], copies: list[Family]) -> html.Div:
    share = figured(view).reuse
    certified = [one for one in found if one.is_certified]
    uncertified = sum(one.is_shared and not one.is_certified for one in found)
    candidates = sum(not other["is_certified"] for one in copies for other in one.others)
    return html.Div(
        [
            tile(
                "Reuse rate",
                text.percent(share.now),
                key="reuse_ratio",
                coverage=f"{text.count(share.whole)} component invocations",
                change=words.moved(share.now, share.before, against=view.window.previous_name, noise=share.noise),
                foot=f"of {text.count(share.whole)} invocations",
            ),
            tile(
                "Certified components in use",
                text.count(len(certified)),
                key="components_certified",
                foot=f"of {len(found)} in use, {sum(one.is_shared for one in certified)} in several workflows",
            ),
            tile(
                "Shared, not certified",
                text.count(uncertified),
                key="component_uses",
                foot="used by several workflows already: certify these first"
                if uncertified
                else "all that several workflows use is certified",
            ),
            tile(
                "Clone candidates",
                text.count(candidates),
                key="clone_candidates",
                foot=f"in {len(copies)} groups of one shape" if copies else "no two tools take the same arguments",
            ),
        ],
        className="tiles four",
    )


def _trend(view: View) -> html.Section:
    mine = view.filters.workflow or FLEET
    points = (
        view.reuse.filter(pl.col("workflow") == mine)
        .group_by("bucket_at")
        .agg(pl.col("invocations", "certified_shared_invocations").sum())
        .sort("bucket_at")
        .to_dicts()
    )
    if len(points) < 2:
        return card(
            "Reuse rate over time",
            html.P("One day makes no trend yet.", className="said"),
            key="reuse_ratio",
            wide=True,
        )
    return card(
        "Reuse rate over time",
        graph(
            figures.rate(points, view.window.start, view.window.end),
            "Share of invocations of certified shared components by day",
        ),
        key="reuse_ratio",
        lead="Share of invocations that certified components of several workflows served, by day.",
        wide=True,
    )


def _map(view: View, found: list[Component]) -> html.Section:
    amounts: dict[str, int] = {}
    for one in found:
        for name, count in one.uses.items():
            amounts[name] = amounts.get(name, 0) + count
    workflows = sorted(amounts, key=lambda name: (name != view.filters.workflow, -amounts[name], name))
    rows, columns = figures.ROWS, figures.COLUMNS
    left_out = [
        f"{len(found) - rows} components" if len(found) > rows else "",
        f"{len(workflows) - columns} workflows" if len(workflows) > columns else "",
    ]
    return card(
        "Who uses what",
        graph(figures.uses(found, workflows), "Invocations by component and workflow, certified components marked"),
        html.P(f"Not drawn: {' and '.join(filter(None, left_out))}, those used least.", className="under")
        if any(left_out)
        else None,
        key="component_uses",
        coverage=f"{min(len(found), rows)} of {len(found)} components, "
        f"{min(len(workflows), columns)} of {len(workflows)} workflows",
        lead="Certified components have a ✓ and are green; the darker, the more invocations.",
        wide=True,
    )


def _clones(copies: list[Family]) -> html.Section:
    if not copies:
        line = "No two tools take arguments of the same names and types."
        return card("Perhaps built twice", html.P(line, className="said"), key="clone_candidates", wide=True)
    columns = [
        Column("Keep"),
        Column("Instead of"),
        Column("Workflows", True),
        Column("Calls that move", True),
        Column("Fewer tools", True),
        Column("Reuse rate", True),
        Column("Cost saved", True),
    ]
    rows = [
        [
            stack(
                html.Span(text.plain(one.keep, 60), className="name"),
                pill("certified", "good") if one.is_certified else pill("certify it first", "warn"),
            ),
            stack(
                ", ".join(text.plain(other["tool_name"], 40) for other in one.others[:6]),
                f"and {len(one.others) - 6} more" if len(one.others) > 6 else None,
            ),
            text.count(len(one.workflows)),
            text.count(one.calls_moved),
            text.count(len(one.others)),
            _points(one.reuse_gained),
            text.usd(one.cost_saved_usd),
        ]
        for one in copies[:_FAMILIES]
    ]
    more = len(copies) - len(rows)
    return card(
        "Perhaps built twice",
        table(
            columns,
            rows,
            caption="Tools whose arguments have one shape, and what keeping one of them would save",
            kind="cards",
        ),
        html.P(f"{more} more groups are not listed.", className="under") if more > 0 else None,
        key="clone_candidates",
        lead="The same shape proves nothing: look at what they do before one replaces the other. Calls are all there are, "
        "whatever the period.",
        wide=True,
    )


def _points(share: float | None) -> str:
    if share is None:
        return text.UNKNOWN
    return f"+{100 * share:.1f} pt" if share else "no change"


def _list(found: list[Component]) -> html.Section:
    columns = [Column("Component"), Column("Certified"), Column("Workflows", True), Column("Invocations", True)]
    rows = [
        [
            stack(html.Span(text.plain(one.name, 60), className="name"), text.plain(one.kind, 24)),
            pill("certified", "good") if one.is_certified else pill("no", ""),
            stack(text.count(len(one.uses)), ", ".join(text.plain(name, 32) for name in sorted(one.uses)[:3])),
            text.count(one.invocations),
        ]
        for one in found[:_LISTED]
    ]
    more = len(found) - len(rows)
    return card(
        "Components",
        table(columns, rows, caption="Components in use, the most widely used first", kind="cards"),
        html.P(f"{more} more are not listed.", className="under") if more > 0 else None,
        key="components_certified",
        wide=True,
    )


def _scope(view: View) -> list[str]:
    others = ["All environments, teams and releases are covered."]
    return view.scope()[:1] + (others if view.filters.environment or view.filters.team or view.filters.release else [])


PAGE = Page(PATH, TITLE, "Reuse", page, "reuse.html", scope=_scope)

"""Chargeback on the cost page: who pays, by a tag, with shared cost split by a stated rule; and the way down to the runs."""

from __future__ import annotations

from typing import Any

import polars as pl

from dashboards import text
from dashboards.elements import dcc, html
from dashboards.pages.asked import Asked
from dashboards.pages.parts import Column, card, meter, table
from warehouse.economics.showback import showback

# Tag as the address names it → as the page does.
TAGS = {
    "team": "Team",
    "cost_center": "Cost center",
    "workflow": "Workflow",
    "model": "Model",
    "release": "Release",
    "environment": "Environment",
    "mode": "Mode",
}
# Tags that are filters too: a row leads one step down.
_FILTERS = frozenset({"team", "workflow", "release", "environment"})
# More rows than this need a filter.
_MOST = 100
# So many workflows are offered as shared.
_OFFERED = 6


def chargeback_of(asked: Asked) -> pl.DataFrame:
    """What each value of the chosen tag pays; columns of `warehouse.economics.showback.showback`."""
    spend = _spend(asked)
    return showback(spend, [asked.filters.shared] if asked.filters.shared else [])


def _spend(asked: Asked) -> pl.DataFrame:
    given, window = asked.filters, asked.view.window
    scope = [window.start, window.end, given.workflow, given.environment, given.team, given.release]
    return asked.reader.kept("chargeback", [*scope, tag_of(asked)])


def tag_of(asked: Asked) -> str:
    """The tag that the address names; the team where it names none."""
    return asked.filters.by if asked.filters.by in TAGS else "team"


def chargeback(asked: Asked) -> html.Section:
    """The card: links to choose tag and shared workflow, and the table."""
    tag, given = tag_of(asked), asked.filters
    spend = _spend(asked)
    found = showback(spend, [given.shared] if given.shared else [])
    whole = float(found["total_usd"].sum())
    rows = [_row(asked, tag, row) for row in found.head(_MOST).iter_rows(named=True)]
    columns = (
        Column(TAGS[tag]),
        Column("Runs", True),
        Column("Own", True),
        Column("Shared", True),
        Column("Pays", True),
        Column("Share"),
        Column("Coverage", True),
    )
    runs, priced = int(spend["runs"].sum()), int(spend["priced_runs"].sum())
    rule = (
        f"The cost of {text.plain(given.shared, 40)} is split over the others in proportion to what they spend themselves; "
        "what carries no tag takes no part of it."
        if given.shared
        else "Nothing is shared: each pays for its own runs."
    )
    return card(
        "Chargeback",
        _choices(asked, tag, spend),
        table(columns, rows, caption=f"Who pays, by {TAGS[tag].lower()}", kind="cards"),
        key="chargeback",
        coverage=f"{text.count(priced)} of {text.count(runs)} runs have a known cost",
        lead=f"{text.usd(whole)} spent in the period, pending and shadow runs included; the rows sum to it. {rule}"
        + (f" {found.height - _MOST} more rows are in the download." if found.height > _MOST else ""),
        wide=True,
    )


def _choices(asked: Asked, tag: str, spend: pl.DataFrame) -> html.Div:
    given = asked.filters
    tags = [_choice(name, given.search(by=key), key == tag) for key, name in TAGS.items()]
    dearest = (
        spend.group_by("workflow").agg(pl.col("cost_usd").sum()).sort("cost_usd", "workflow", descending=[True, False])
    )
    offered = dearest["workflow"].to_list()
    if len(offered) < 2 or tag == "workflow":
        shared = []
    else:
        names = offered[:_OFFERED]
        if given.shared and given.shared not in names:
            names = [*names, given.shared]
        shared = [
            html.Span("Shared by all:", className="under"),
            _choice("nothing", given.search(shared=None), given.shared is None),
            *(_choice(text.plain(name, 28), given.search(shared=name), name == given.shared) for name in names),
        ]
    return html.Div(
        [
            html.Div([html.Span("By:", className="under"), *tags], className="choose"),
            html.Div(shared, className="choose") if shared else None,
        ],
        className="chooser",
    )


def _choice(name: str, search: str, is_chosen: bool) -> dcc.Link:
    return dcc.Link(name, href="/cost" + (search or "?"), className="choice chosen" if is_chosen else "choice")


def _row(asked: Asked, tag: str, row: dict[str, Any]) -> list[Any]:
    value = row["tag"]
    if value is None:
        name = html.Span("(unallocated)", className="name")
    elif tag in _FILTERS:
        below = {"team": "workflow", "workflow": "release"}.get(tag)
        name = dcc.Link(
            text.plain(value, 44), href="/cost" + asked.filters.search(**{tag: value, "by": below}), className="name"
        )
    else:
        name = html.Span(text.plain(value, 44), className="name")
    return [
        name,
        text.count(row["runs"]),
        text.usd(row["own_usd"]),
        text.usd(row["shared_usd"]),
        html.Strong(text.usd(row["total_usd"])),
        html.Div(
            [
                html.Span(text.percent(row["share"])),
                meter(row["share"], f"{text.percent(row['share'])} of all spend"),
            ],
            className="stack",
        ),
        text.percent(row["coverage_ratio"]),
    ]


_RUNS = (
    Column("Run"),
    Column("Started"),
    Column("Release"),
    Column("Model"),
    Column("Outcome"),
    Column("Calls, model / tool", True),
    Column("Tokens in / out", True),
    Column("Cost", True),
)


def dearest(asked: Asked) -> html.Section | None:
    """The runs of one workflow that cost most, each with its link; nothing for several workflows."""
    given, window = asked.filters, asked.view.window
    if not given.workflow:
        return None
    scope = [window.start, window.end, given.workflow, given.environment, given.team, given.release, 12]
    rows = asked.reader.rows("dearest_runs", scope)
    if rows.is_empty():
        return None
    return card(
        "The dearest runs",
        table(
            _RUNS, [_run(asked, row) for row in rows.iter_rows(named=True)], caption="The dearest runs", kind="cards"
        ),
        key="cost",
        lead="The twelve that cost most in the period, each with its whole story.",
        wide=True,
    )


def _run(asked: Asked, row: dict[str, Any]) -> list[Any]:
    outcome = row["outcome"] or ("pending" if row["is_pending"] else "unknown")
    return [
        dcc.Link(
            text.plain(row["run_id"], 14), href="/runs" + asked.filters.search(run=row["run_id"]), className="name"
        ),
        text.when(row["started_at"]),
        text.plain(row["release"] or text.UNKNOWN, 24),
        text.plain(row["model"] or "unknown", 32),
        text.plain(outcome, 20),
        f"{text.count(row['model_calls'])} / {text.count(row['tool_calls'])}",
        f"{text.amount(row['input_tokens'])} / {text.amount(row['output_tokens'])}",
        text.usd(row["cost_usd"]),
    ]

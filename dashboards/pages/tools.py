"""Tools: which calls fail, take long or changed their arguments, and what the catalog does not know."""

from __future__ import annotations

import polars as pl

from dashboards import text, words
from dashboards.calling import is_error_within_noise, rolled
from dashboards.data import View
from dashboards.elements import dcc, html
from dashboards.figures.scorecard import Change, changes
from dashboards.figures.sparkline import sparkline
from dashboards.pages import tool as one
from dashboards.pages.asked import Asked, Page
from dashboards.pages.empty import not_refreshed, nothing_matches
from dashboards.pages.parts import Column, card, delta, graph, notice, pill, stack, table, tile
from dashboards.tools import Note, Tool, notes, tools

PATH = "/tools"
TITLE = "Tools"
MARTS = frozenset({"tool_calls_hourly", "tool_variants_daily"})

# More rows than this need a filter; more bars are a wall.
_MOST_ROWS, _MOST_BARS, _MOST_NOTES = 150, 16, 8

_COLUMNS = (
    Column("Tool"),
    Column("Calls", True, key="tool_calls"),
    Column("Failed", True, key="tool_error_ratio"),
    Column("Trend"),
    Column("Median / 95th percentile", True, key="tool_latency"),
    Column("Argument shapes", True, key="tool_shapes"),
    Column("Effect"),
    Column("Catalog", key="tool_catalog"),
)


def page(asked: Asked) -> html.Div:
    """The tools that the workflows asked for have called in the period, with one of them opened if it was chosen."""
    view, reader = asked.view, asked.reader
    if not reader.has(*MARTS):
        return html.Div([not_refreshed("Tool calls")])
    scope = view.parameters()
    calls = reader.rows("tool_calls", scope)
    if calls.filter(span="current").is_empty():
        return html.Div([_nothing(view)])
    found = tools(
        calls,
        reader.rows("tool_durations", [*scope, None]),
        reader.rows("tool_variants", [*scope[:6], *scope[7:], None]),
        reader.rows("tools_declared"),
        view.window,
    )
    chosen = next((tool for tool in found if tool.name == view.filters.tool), None)
    if chosen is None and view.filters.tool:
        first: html.Section | None = _not_called(view)
    else:
        first = None if chosen is None else one.detail(asked, chosen, calls)
    return html.Div(
        [
            first,
            _tiles(view, found, calls),
            _attention(view, notes(found)),
            _ratios(found),
            _table(view, found, calls),
        ]
    )


def scope(view: View) -> list[str]:
    """The period: everything on this page is filtered by everything in the address."""
    return view.scope()[:1]


def _nothing(view: View) -> html.Section:
    if view.filters.search(period=None):
        return nothing_matches(view, "tool call")
    return notice(
        "No tool call in this period",
        f"{text.count(view.extent.runs)} runs are known, and none of this period called a tool that the traces name.",
        "A tool call is a span with gen_ai.operation.name execute_tool, or a call in a model's output.",
        commands=('plumbline sql "SELECT kind, count(*) FROM spans GROUP BY kind"',),
    )


def _not_called(view: View) -> html.Section:
    return notice(
        f"{text.plain(view.filters.tool)} was not called",
        "Not in this period, nor under these filters.",
        dcc.Link("All tools", href=PATH + view.filters.search(tool=None)),
    )


def _tiles(view: View, found: list[Tool], calls: pl.DataFrame) -> html.Div:
    against = view.window.previous_name
    now = rolled(calls.filter(span="current")).row(0, named=True)
    earlier = rolled(calls.filter(span="previous"))
    before = earlier.row(0, named=True) if view.window.is_comparable and earlier.item(0, "calls") else None
    points = rolled(calls, "bucket_at")
    split = points.filter(pl.col("bucket_at") < view.window.start).height
    unspanned = now["calls"] - now["spanned_calls"]
    has_catalog = any(tool.is_unknown or tool.declared for tool in found)
    unknown = [tool for tool in found if tool.is_unknown]
    changed = [tool for tool in found if tool.new_shapes]
    return html.Div(
        [
            tile(
                "Tool calls",
                text.amount(now["calls"]),
                key="tool_calls",
                change=words.changed(now["calls"], words.known(before, "calls"), against=against, lower_is_better=None),
                foot=f"of {text.count(len(found))} tools",
                trend=sparkline(points["calls"].to_list(), split=split),
            ),
            tile(
                "Failed calls",
                text.percent(now["error_ratio"]),
                key="tool_error_ratio",
                coverage=f"{text.count(now['spanned_calls'])} of {text.count(now['calls'])} calls have a span",
                change=words.moved(
                    now["error_ratio"],
                    words.known(before, "error_ratio"),
                    against=against,
                    lower_is_better=True,
                    noise=is_error_within_noise(now, before),
                ),
                foot=f"{text.count(now['errors'])} calls"
                + (f"; of {text.count(unspanned)} only the request was seen" if unspanned else ""),
                trend=sparkline(points["error_ratio"].to_list(), split=split),
            ),
            tile(
                "Not in the catalog",
                text.count(len(unknown)) if has_catalog else text.UNKNOWN,
                key="tool_catalog",
                foot=(", ".join(text.plain(tool.name, 24) for tool in unknown[:3]) or "every tool called is declared")
                if has_catalog
                else "the catalog lists no tools",
            ),
            tile(
                "New argument shapes",
                text.count(len(changed)) if view.window.is_comparable else text.UNKNOWN,
                key="tool_shapes",
                foot=(
                    ", ".join(text.plain(tool.name, 24) for tool in changed[:3]) or "tools with a shape not seen before"
                )
                if view.window.is_comparable
                else "no earlier period to compare with",
            ),
        ],
        className="tiles four",
    )


def _attention(view: View, found: list[Note]) -> html.Section | None:
    if not found:
        return None
    items = [
        html.Li(
            [
                pill(note.kind, note.tone),
                html.Div(
                    [
                        dcc.Link(text.plain(note.tool), href=one.link(view, note.tool), className="name"),
                        html.Span(note.said, className="under"),
                    ],
                    className="stack",
                ),
            ]
        )
        for note in found[:_MOST_NOTES]
    ]
    more = len(found) - len(items)
    return card(
        "Needs attention",
        html.Ul(items, className="attention"),
        html.P(f"{more} more: the table below shows them.", className="under") if more > 0 else None,
        wide=True,
    )


def _ratios(found: list[Tool]) -> html.Section | None:
    """How often calls of each tool fail, now against before."""
    failing = [tool for tool in found if tool.now["error_ratio"] is not None and tool.now["errors"]][:_MOST_BARS]
    if not failing:
        return None
    rows = [
        Change(
            tool.name,
            100 * tool.now["error_ratio"],
            _percent(tool.before["error_ratio"]) if tool.before else None,
            _percent(tool.now["error_low"]),
            _percent(tool.now["error_high"]),
            is_worse=tool.fails_more,
        )
        for tool in sorted(failing, key=lambda tool: -tool.now["error_ratio"])
    ]
    return card(
        "Share of calls that failed",
        graph(
            changes(rows, lambda value: text.percent(None if value is None else value / 100), suffix="\u202f%"),
            "Share of calls that failed per tool, now and before, with its 95 % interval",
        ),
        key="tool_error_ratio",
        lead="Open mark: the period before. Bar: 95 % interval over runs. A red diamond rose by more than sampling explains."
        + (f" The {_MOST_BARS} tools with most failures." if len(found) > _MOST_BARS else ""),
        wide=True,
    )


def _percent(ratio: float | None) -> float | None:
    return None if ratio is None else 100 * ratio


def _table(view: View, found: list[Tool], calls: pl.DataFrame) -> html.Section:
    points = rolled(calls, "tool_name", "bucket_at").partition_by("tool_name", as_dict=True)
    rows = [_row(view, tool, points[(tool.name,)]) for tool in found[:_MOST_ROWS]]
    hidden = len(found) - len(rows)
    return card(
        "All tools",
        table(_COLUMNS, rows, caption="Tools, those with most failed calls first", kind="cards"),
        lead="Those with most failed calls first. Open one to see its errors, its argument shapes and who calls it."
        + (f" {hidden} more are in table tool_calls_hourly." if hidden > 0 else ""),
        wide=True,
    )


def _row(view: View, tool: Tool, points: pl.DataFrame) -> list[object]:
    now = tool.now
    split = points.filter(pl.col("bucket_at") < view.window.start).height
    trend = sparkline(points["error_ratio"].to_list(), split=split)
    return [
        stack(
            dcc.Link(text.plain(tool.name, 48), href=one.link(view, tool.name), className="name"),
            text.plain(tool.workflows[0], 40) if len(tool.workflows) == 1 else f"{len(tool.workflows)} workflows",
        ),
        text.count(now["calls"]),
        stack(html.Span([text.percent(now["error_ratio"]), " ", delta(tool.error_change)]), one.interval(now)),
        html.Img(src=trend, className="spark", alt=f"Share of failed calls of {text.plain(tool.name, 48)} over time")
        if trend
        else text.UNKNOWN,
        stack(f"{text.measure(tool.p50_ms, 'ms')} / {text.measure(tool.p95_ms, 'ms')}", delta(tool.slower)),
        stack(text.count(len(tool.shapes)) if tool.shapes else text.UNKNOWN, one.newness(tool)),
        one.effect(tool),
        one.standing(tool),
    ]


PAGE = Page(PATH, TITLE, "Tools", page, "tools.html", scope=scope, keeps=("tool",))

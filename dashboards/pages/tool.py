"""One tool: how its failures and durations went, with which errors, which argument shapes, and who calls it."""

from __future__ import annotations

from typing import Any

import polars as pl

from dashboards import text
from dashboards.calling import quantiles, rolled
from dashboards.data import View
from dashboards.elements import dcc, html
from dashboards.figures.tools import errors, latency
from dashboards.pages.asked import Asked
from dashboards.pages.parts import Column, delta, graph, how, pill, stack, table
from dashboards.tools import Tool

PATH = "/tools"
_MOST_ROWS = 20

_ERROR_COLUMNS = (
    Column("Error"),
    Column("Calls", True),
    Column("Of failures", True),
    Column("Before", True),
    Column("First seen"),
)
_SHAPE_COLUMNS = (
    Column("Shape"),
    Column("Calls", True),
    Column("Of calls", True),
    Column("Before", True),
    Column("First seen"),
)
_USER_COLUMNS = (
    Column("Workflow"),
    Column("Calls", True),
    Column("Failed", True, key="tool_error_ratio"),
    Column("Median / 95th percentile", True, key="tool_latency"),
    Column("Runs", True),
)


def link(view: View, tool: str) -> str:
    """Where a tool is shown in full."""
    return PATH + view.filters.search(tool=tool)


def interval(row: dict[str, Any]) -> str | None:
    """The interval of an error ratio, as a line."""
    if row["error_low"] is None:
        return None
    return f"{text.percent(row['error_low'])} to {text.percent(row['error_high'])}"


def newness(tool: Tool) -> str | None:
    """How many of a tool's shapes are new."""
    return f"{len(tool.new_shapes)} new" if tool.new_shapes else None


def effect(tool: Tool) -> html.Div | str:
    """What its calls do to the world, and where the catalog says otherwise."""
    if not tool.effects:
        return text.UNKNOWN
    tone = "bad" if tool.other_effects else "warn" if "irreversible" in tool.effects else ""
    said = f"the catalog says {tool.declared.effect}" if tool.other_effects and tool.declared else None
    return stack(pill(" and ".join(tool.effects), tone), said)


def standing(tool: Tool) -> html.Span | str:
    """What the catalog knows of the tool."""
    if tool.is_unknown:
        return pill("not in the catalog", "bad")
    if tool.declared is None:
        return text.UNKNOWN
    return pill("certified", "good") if tool.declared.is_certified else pill("declared", "")


def detail(asked: Asked, tool: Tool, calls: pl.DataFrame) -> html.Section:
    """A tool with its trends, errors, shapes and users.

    Parameters
    ----------
    calls : pl.DataFrame
        ``queries/tool_calls.sql`` under the filters of the address.
    """
    view, reader = asked.view, asked.reader
    durations = reader.rows("tool_durations", [*view.parameters(), tool.name])
    own = calls.filter(tool_name=tool.name)
    name = text.plain(tool.name, 60)
    return html.Section(
        [
            html.Div(
                [
                    html.H2(text.plain(tool.name, 120)),
                    dcc.Link("Close", href=PATH + view.filters.search(tool=None), className="close"),
                ],
                className="card-head",
            ),
            html.Div([standing(tool), effect(tool)], className="pills"),
            html.Dl(
                [part for term, value in _facts(tool) for part in (html.Dt(term), html.Dd(value))], className="facts"
            ),
            html.Div(
                [
                    html.Div(
                        [
                            html.H3(["Share of calls that failed ", how("tool_error_ratio")]),
                            graph(
                                errors(rolled(own, "bucket_at"), view.window),
                                f"Share of failed calls of {name} over time",
                            ),
                        ],
                        className="small",
                    ),
                    html.Div(
                        [
                            html.H3(["Duration ", how("tool_latency")]),
                            graph(
                                latency(quantiles(durations, ["bucket_at"]), view.window),
                                f"Median and 95th percentile of the duration of {name} over time",
                            ),
                        ],
                        className="small",
                    ),
                ],
                className="smalls two",
            ),
            *_variants(
                "With which errors", tool.failures, _ERROR_COLUMNS, tool, "Errors of the tool, the most frequent first"
            ),
            *_variants(
                "With which argument shapes",
                tool.shapes,
                _SHAPE_COLUMNS,
                tool,
                "Argument shapes, the most frequent first",
            ),
            html.H3("Who calls it"),
            table(_USER_COLUMNS, _users(view, own, durations), caption="Workflows that call the tool", kind="cards"),
        ],
        className="card wide detail",
        id="tool",
    )


def _facts(tool: Tool) -> list[tuple[str, Any]]:
    now, declared = tool.now, tool.declared
    undone = "it only reads" if tool.effects else text.UNKNOWN
    if "write" in tool.effects or "irreversible" in tool.effects:
        undone = (
            f"by {text.plain(declared.compensation, 60)}"
            if declared and declared.compensation
            else "nothing is declared that undoes it"
        )
    cost = declared.cost_per_call_usd if declared else None
    return [
        (
            "Calls",
            f"{text.count(now['calls'])} in {text.count(now['runs'])} runs, the last {text.when(now['last_at'])}",
        ),
        (
            "Failed",
            html.Span(
                [
                    f"{text.count(now['errors'])} of {text.count(now['spanned_calls'])}: {text.percent(now['error_ratio'])}"
                    + (f" (95 % interval {interval(now)})" if interval(now) else "")
                    + " ",
                    delta(tool.error_change),
                ]
            ),
        ),
        (
            "Duration",
            html.Span(
                [
                    f"median {text.measure(tool.p50_ms, 'ms')}, 95th percentile {text.measure(tool.p95_ms, 'ms')} ",
                    delta(tool.slower),
                ]
            ),
        ),
        ("Undone", undone),
        ("Cost per call", text.usd(cost) if cost is not None else "not in the catalog"),
    ]


def _variants(
    title: str, rows: list[dict[str, Any]], columns: tuple[Column, ...], tool: Tool, caption: str
) -> list[Any]:
    if not rows:
        return []
    whole = sum(row["calls"] for row in rows)
    new = [row["variant"] for row in tool.new_shapes] if columns is _SHAPE_COLUMNS else []
    shown = [
        [
            stack(
                html.Code(text.plain(row["variant"] or "not named", 60)),
                pill("new", "warn") if row["variant"] in new else None,
            ),
            text.count(row["calls"]),
            text.percent(row["calls"] / whole),
            text.count(row["calls_before"]) if tool.is_comparable else text.UNKNOWN,
            text.when(row["first_at"]),
        ]
        for row in rows[:_MOST_ROWS]
    ]
    hidden = len(rows) - len(shown)
    return [
        html.H3(title),
        table(columns, shown, caption=caption, kind="cards"),
        html.P(f"{hidden} more are in table tool_variants_daily.", className="under") if hidden > 0 else None,
    ]


def _users(view: View, calls: pl.DataFrame, durations: pl.DataFrame) -> list[list[Any]]:
    taken = {
        row["workflow"]: row for row in quantiles(durations.filter(span="current"), ["workflow"]).iter_rows(named=True)
    }
    rows = rolled(calls.filter(span="current"), "workflow").sort(-pl.col("calls"), "workflow")
    return [
        [
            dcc.Link(
                text.plain(row["workflow"], 48),
                href=PATH + view.filters.search(workflow=row["workflow"]),
                className="name",
            ),
            text.count(row["calls"]),
            stack(text.percent(row["error_ratio"]), interval(row)),
            f"{text.measure(taken[row['workflow']]['p50_ms'], 'ms')} / {text.measure(taken[row['workflow']]['p95_ms'], 'ms')}"
            if row["workflow"] in taken
            else text.UNKNOWN,
            text.count(row["runs"]),
        ]
        for row in rows.head(_MOST_ROWS).iter_rows(named=True)
    ]

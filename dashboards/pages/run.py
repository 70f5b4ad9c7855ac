"""One opened run: the audit narrative, what happened, its span tree with durations, tokens and cost, and what is missing."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from dashboards import text
from dashboards.elements import dcc, html
from dashboards.pages.asked import Asked
from dashboards.pages.parts import Column, attributes, card, notice, pill, stack, table
from dashboards.searching import MARKS
from dashboards.tree import Node, extent, tree
from warehouse.audited import Narrative, facts

# Spans read of one run, lines of its tree drawn, events listed; beyond that it is said how many there are.
MOST_SPANS = 5_000
MOST_LINES = 300
MOST_EVENTS = 200
# Attributes shown of one span, and characters of each.
_MOST_ATTRIBUTES, _LONGEST_VALUE = 60, 400
# Lines whose attributes are on the page: they are the bulk of it.
_WITH_ATTRIBUTES = 120

_TONES = {"success": "good", "failure": "bad", "escalated": "warn", "abandoned": "warn"}


def outcome(row: Any) -> html.Span:
    """How a run ended, in words on a colour."""
    name = "pending" if row["is_pending"] else row["outcome"] or "unknown"
    return pill(text.plain(name, 24), _TONES.get(name, ""))


def opened(asked: Asked, run_id: str) -> html.Div:
    """The run of that id, or why there is none."""
    back = dcc.Link("All runs", href="/runs" + asked.filters.search(run=None))
    if not asked.reader.has("audit_by_run", "model_calls", "tool_calls"):
        return html.Div(
            [
                notice(
                    "Runs can't be opened yet",
                    "The marts of runs are not built.",
                    back,
                    commands=("plumbline refresh",),
                )
            ]
        )
    story = asked.reader.audited(run_id)
    if story is None:
        why = "Ids stand in table runs; a new run is there after the next refresh."
        return html.Div([notice(f"No run {text.plain(run_id, 48)}", why, back, commands=("plumbline refresh",))])
    spans = asked.reader.rows("run_spans", [run_id, MOST_SPANS]).to_dicts()
    return html.Div([_head(asked, story, back), _events(story), _tree(spans)], id="run")


def _head(asked: Asked, story: Narrative, back: dcc.Link) -> html.Section:
    run = story.run
    said = dict(facts(story))
    # The same moments in the form that follows the reader's zone.
    said["When"] = f"{text.when(run['started_at'], seconds=True)} to {text.when(run['ended_at'], seconds=True)}"
    pairs = [part for name, words in said.items() for part in (html.Dt(name), html.Dd(text.plain(words, 600)))]
    complete = bool(run["is_complete"])
    gaps = [html.Li([f"{text.plain(what, 300)}: ", html.Span(text.plain(todo, 300))]) for what, todo in story.missing]
    missing = (
        html.Ul(gaps, className="choices")
        if gaps
        else html.P("Nothing is missing: the decision path can be rebuilt.", className="said")
    )
    awaited = html.P("Its outcome is still awaited.", className="said") if run["is_pending"] else None
    return card(
        "Audit of the run",
        html.Div(
            [
                outcome(run),
                pill("Can be rebuilt" if complete else "Has gaps", "good" if complete else "warn"),
                html.Span(text.lasted(_length(run["duration_ms"])), className="id"),
                html.Code(text.plain(run["run_id"], 64), className="id"),
                None if asked.is_report else html.Span(back, className="close"),
            ],
            className="pills",
        ),
        html.Div(
            [html.Dl(pairs, className="facts"), html.Div([html.H3("Missing"), missing, awaited])],
            className="detail-head",
        ),
        html.P(["As text: ", html.Code(f"plumbline audit {text.plain(run['run_id'], 64)}")], className="under"),
        key="audit",
        lead=text.plain(run["workflow"], 80),
    )


def _events(story: Narrative) -> html.Section:
    shown = story.events[:MOST_EVENTS]
    more = len(story.events) - len(shown)
    columns = [
        Column("At"),
        Column("What"),
        Column("Which"),
        Column("Result"),
        Column("Took", True),
        Column("Cost", True),
    ]
    rows = [
        [
            text.when(event["at"], seconds=True),
            event["kind"],
            html.Span(text.plain(event["what"] or "unknown", 80), className="name"),
            stack(
                text.plain(event["result"] or "unknown", 120), text.plain(event["note"], 120) if event["note"] else None
            ),
            took(None if event["seconds"] is None else 1000 * event["seconds"]),
            text.usd(event["cost_usd"]),
        ]
        for event in shown
    ]
    return card(
        "What happened",
        table(
            columns, rows, caption="Calls, decisions, approvals and changes of the run in order of time", kind="cards"
        )
        if rows
        else html.P("No call, decision or change is on record.", className="said"),
        html.P(f"{text.count(more)} more are not listed; plumbline audit lists all.", className="under")
        if more
        else None,
        lead="Model calls, tools, sources, policy decisions, approvals, overrides and rollbacks, in order of time.",
        wide=True,
    )


def _tree(spans: list[dict[str, Any]]) -> html.Section:
    lines = tree(spans)
    shown = lines[:MOST_LINES]
    total = spans[0]["spans"] if spans else 0
    first, whole_ms = extent(spans)
    rows = [_span(node, first, whole_ms, number < _WITH_ATTRIBUTES) for number, node in enumerate(shown)]
    columns = [
        Column("Span"),
        Column("Start and duration"),
        Column("Took", True),
        Column("Tokens in", True),
        Column("Out", True),
        Column("Cost", True),
    ]
    cut = [
        f"{text.count(len(lines) - len(shown))} more lines are not drawn" if len(lines) > len(shown) else "",
        f"{text.count(total - len(spans))} spans beyond the first {text.count(len(spans))} are not read"
        if total > len(spans)
        else "",
    ]
    return card(
        "Span tree",
        table(
            columns,
            rows,
            caption="Spans of the run under their parents, with duration, tokens and cost",
            kind="cards tree",
        )
        if rows
        else html.P("The spans of this run are past their retention.", className="said"),
        html.P(". ".join(filter(None, cut)) + ".", className="under") if any(cut) else None,
        key="span_tree",
        coverage=f"{text.count(len(shown))} lines for {text.count(total)} spans",
        lead=(
            f"{text.count(total)} spans in {text.lasted(timedelta(milliseconds=whole_ms))}. Many calls of one name become one "
            "line; those that failed are always shown."
            if spans
            else None
        ),
        wide=True,
    )


def _span(node: Node, first: Any, whole_ms: float, has_attributes: bool) -> list[Any]:
    row = node.row
    name = text.plain(row["what"] or row["kind"], 80)
    notes = [row["kind"]]
    if node.is_orphan:
        notes.append("its parent never came")
    if node.folded:
        notes.append("added up")
    flags = [text.plain(flag, 40) for flag in row["quality_flags"] or []]
    error = text.plain(row["error_type"] or "error", 60) if row["status"] == "error" else ""
    failed = pill(error if not node.folded else f"{node.errors} failed", "bad") if node.errors else None
    label = [
        html.Span(f"{text.count(node.folded)} × {name}" if node.folded else name, className="name"),
        failed,
        html.Span(" · ".join([*notes, *flags]), className="under"),
        _attributes(row["attributes"]) if has_attributes and not node.folded else None,
    ]
    offset = (row["started_at"] - first).total_seconds() * 1000 if row["started_at"] is not None and first else None
    known = [] if node.folded else [row["input_tokens"], row["output_tokens"]]
    tokens = [text.count(value) if value is not None else "" for value in known] or ["", ""]
    return [
        html.Div(label, className="span", style={"paddingLeft": f"{min(node.depth, 12) * 14}px"}),
        "" if node.folded else _bar(offset, row["duration_ms"], whole_ms, name),
        "" if node.folded else took(row["duration_ms"]),
        *tokens,
        text.usd(node.cost_usd) if row["kind"] in ("model", "tool") else "",
    ]


def _bar(offset_ms: float | None, length_ms: float | None, whole_ms: float, name: str) -> html.Div | str:
    if offset_ms is None or whole_ms <= 0:
        return text.UNKNOWN
    left = min(max(offset_ms / whole_ms, 0.0), 1.0)
    width = min(max((length_ms or 0.0) / whole_ms, 0.004), 1.0 - left if left < 1 else 0.004)
    said = f"{name}: starts {took(offset_ms)} after the run, takes {took(length_ms)}"
    mark = html.Span(style={"left": f"{100 * left:.2f}%", "width": f"{100 * width:.2f}%"})
    return html.Div(mark, className="lane", role="img", **attributes(aria_label=said))


def took(milliseconds: float | None) -> str:
    """A duration in milliseconds, in the unit that reads best."""
    if milliseconds is None:
        return text.UNKNOWN
    return text.measure(milliseconds, "ms") if milliseconds < 60_000 else text.lasted(_length(milliseconds))


def _length(milliseconds: float | None) -> timedelta | None:
    return None if milliseconds is None else timedelta(milliseconds=milliseconds)


def _attributes(document: str | None) -> html.Details | None:
    """What the span carried beside the columns, as text."""
    try:
        values = json.loads(document or "{}")
    except ValueError:
        values = {"attributes": document}
    if not isinstance(values, dict) or not values:
        return None
    flat = list(_flat(values))
    shown = flat[:_MOST_ATTRIBUTES]
    pairs = [
        part
        for name, value in shown
        for part in (html.Dt(text.plain(name, 80)), html.Dd(text.plain(value, _LONGEST_VALUE)))
    ]
    more = html.P(f"{len(flat) - len(shown)} more", className="under") if len(flat) > len(shown) else None
    word = "attribute" if len(flat) == 1 else "attributes"
    return html.Details(
        [html.Summary(f"{len(flat)} {word}"), html.Dl(pairs, className="facts"), more], className="more"
    )


def _flat(values: dict[str, Any], above: str = "") -> Any:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def marks(has: list[str]) -> html.Div:
    """What stands out about a run in a list of runs."""
    tones = {"incident": "bad", "error": "bad", "denied": "warn", "gap": "warn", "override": "warn"}
    return html.Div(
        [pill(mark, tones.get(mark, ""), MARKS[mark]) for mark in has if mark in MARKS], className="pills marks"
    )

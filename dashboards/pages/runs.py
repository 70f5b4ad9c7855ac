"""The run explorer: find runs, open one."""

from __future__ import annotations

from typing import Any

import polars as pl

from dashboards import text
from dashboards.data import View
from dashboards.elements import dcc, html
from dashboards.pages import run
from dashboards.pages.asked import Asked, Page
from dashboards.pages.empty import nothing_matches
from dashboards.pages.parts import Column, attributes, card, notice, stack, table
from dashboards.searching import MARKS, OUTCOMES, Search, after, cursor, parse

PATH = "/runs"
TITLE = "Runs"

# Rows of one page.
ROWS = 50

# Part of a period whose runs are looked at first.
_LATE = 32

_READ = ("audit_by_run", "model_calls", "tool_calls")


def page(asked: Asked) -> html.Div:
    """The runs that the search finds, or the one that was opened."""
    chosen = asked.filters.run
    if chosen:
        return run.opened(asked, chosen)
    if not asked.reader.has(*_READ):
        return html.Div(
            [
                notice(
                    "Runs can't be searched yet",
                    f"The marts of the runs of {text.plain(asked.filters.workflow or 'this warehouse')} are not built.",
                    commands=("plumbline refresh",),
                )
            ]
        )
    search = parse(asked.filters.q)
    found, total = _found(asked, search)
    rows, is_more = found[:ROWS], len(found) > ROWS
    return html.Div(
        [
            None if asked.is_report else _bar(asked, search),
            _list(asked, rows, total, is_more) if rows else _none(asked, search),
        ]
    )


def _found(asked: Asked, search: Search) -> tuple[list[dict[str, Any]], int]:
    """One page of runs and one more where there are others, and how many match in all."""
    filters, window = asked.filters, asked.view.window
    of = [window.start, window.end, filters.workflow, filters.environment, filters.team, filters.release]
    words = [search.id, search.outcome, search.model, search.tool, search.agent]
    part = [*after(filters.before), ROWS]
    if search.has:
        found = asked.reader.rows("runs_marked", [*of, *words, *part, list(search.has)])
    elif any(words):
        found = asked.reader.rows("runs_found", [*of, *words, *part])
    else:
        found = _newest(asked, of, part)
    if found.is_empty():
        return [], 0
    total = found.item(0, "found") if "found" in found.columns else _all(asked)
    listed = [found["run_id"].to_list(), found["started_at"].min(), found["started_at"].max()]
    return asked.reader.rows("runs_listed", listed).to_dicts(), total


def _newest(asked: Asked, of: list[Any], part: list[Any]) -> pl.DataFrame:
    """The newest of all runs: most often they are in the last hours, and the others need not be sorted."""
    start, end = of[0], min(of[1], part[0] or of[1])
    late = asked.reader.rows("runs_newest", [max(start, end - (of[1] - start) / _LATE), *of[1:], *part])
    return late if late.height > ROWS else asked.reader.rows("runs_newest", [*of, *part])


def _all(asked: Asked) -> int:
    """Runs of the period: the view has them summed already."""
    return int(asked.view.cohorts.filter(span="current")["runs"].sum())


def _bar(asked: Asked, search: Search) -> html.Section:
    """The search itself, and what can be asked for with one click."""
    outcomes = [_choice(asked, search, name, name == search.outcome, outcome=name) for name in OUTCOMES]
    has = [_choice(asked, search, mark, mark in search.has, has=mark, title=MARKS[mark]) for mark in MARKS]
    unread = (
        html.P(
            f"Not understood: {', '.join(text.plain(word, 40) for word in search.unread)}. Known are outcome:, model:, tool:, "
            "agent:, has: and the beginning of an id, four characters or more.",
            className="lag",
            role="status",
        )
        if search.unread
        else None
    )
    return html.Section(
        [
            html.Label("Search", htmlFor="search-q"),
            dcc.Input(
                id="search-q",
                type="text",
                value=asked.filters.q or "",
                debounce=True,
                maxLength=300,
                placeholder="an id, or outcome:failure model:gpt tool:refund agent:desk has:incident",
                className="search",
                autoComplete="off",
            ),
            unread,
            html.Div([html.Span("Outcome", className="under"), *outcomes], className="quick"),
            html.Div([html.Span("With", className="under"), *has], className="quick"),
        ],
        className="card searching",
        **attributes(aria_label="Search runs"),
    )


def _choice(asked: Asked, search: Search, name: str, is_on: bool, *, title: str = "", **word: str) -> dcc.Link:
    href = PATH + asked.filters.search(q=str(search.toggled(**word)) or None, before=None)
    said = f"{title or name}, chosen; choose to take it out" if is_on else title
    return dcc.Link(
        f"✓ {name}" if is_on else name, href=href, className="pill good" if is_on else "pill", title=said or None
    )


def _list(asked: Asked, rows: list[dict[str, Any]], total: int, is_more: bool) -> html.Section:
    columns = [
        Column("Run"),
        Column("Workflow"),
        Column("Outcome"),
        Column("Took", True),
        Column("Steps", True),
        Column("Cost", True),
        Column("Stands out"),
    ]
    body = [
        [
            stack(_opens(asked, row), text.plain(row["run_id"], 34)),
            stack(text.plain(row["workflow"], 48), text.plain(row["release"], 32) if row["release"] else None),
            run.outcome(row),
            run.took(row["duration_ms"]),
            text.count(row["steps"]),
            text.usd(row["cost_usd"]),
            run.marks(row["has"]),
        ]
        for row in rows
    ]
    links = []
    if asked.filters.before and not asked.is_report:
        links.append(dcc.Link("Newest", href=PATH + asked.filters.search(before=None)))
    if is_more and not asked.is_report:
        last = cursor(rows[-1]["started_at"], rows[-1]["run_id"])
        links.append(dcc.Link("Older runs", href=PATH + asked.filters.search(before=last)))
    shown = "the newest first" if not asked.filters.before else "older ones"
    lead = f"{text.count(total)} {'run matches' if total == 1 else 'runs match'}; {text.count(len(rows))} of them, {shown}."
    return card(
        "Runs",
        table(columns, body, caption="Runs that match, the newest first", kind="cards"),
        html.Div(links, className="more-links") if links else None,
        key="runs_found",
        lead=lead,
        wide=True,
    )


def _opens(asked: Asked, row: dict[str, Any]) -> dcc.Link | str:
    at = text.when(row["started_at"], seconds=True)
    if asked.is_report:
        return at
    return dcc.Link(at, href=PATH + asked.filters.search(run=row["run_id"], before=None), className="name")


def _none(asked: Asked, search: Search) -> html.Section:
    if not asked.filters.q and not asked.filters.before:
        return nothing_matches(asked.view)
    return notice(
        "No run matches",
        f"Nothing in {asked.view.window.name.lower()} matches {text.plain(str(search) or asked.filters.q or '', 120)}.",
        dcc.Link("Search all time", href=PATH + asked.filters.search(period="all", before=None)),
        dcc.Link("Take the search out", href=PATH + asked.filters.search(q=None, before=None)),
    )


def _scope(view: View) -> list[str]:
    if view.filters.run:
        return ["As the warehouse knows it since the last refresh."]
    return view.scope()[:1]


PAGE = Page(PATH, TITLE, "Runs", page, "runs.html", scope=_scope, keeps=("run", "q", "before"), is_live=True)

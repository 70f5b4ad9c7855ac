"""Rollback readiness: whether each workflow can be stopped and taken back, link by link, and what would raise it cheapest."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from dashboards import text, words
from dashboards.data import View
from dashboards.elements import html
from dashboards.figures import rollback as figures
from dashboards.pages.asked import Asked, Page
from dashboards.pages.empty import nothing_matches
from dashboards.pages.figuring import FLEET
from dashboards.pages.parts import Column, attributes, card, graph, meter, pill, stack, table, tile

PATH = "/rollback"
TITLE = "Rollback readiness"

# Link → column of its value, and its short name.
LINKS = {
    "versions": ("versions_pinned_ratio", "Versions pinned"),
    "known_good": ("known_good_score", "Known-good release"),
    "compensation": ("compensated_write_ratio", "Writes compensated"),
    "drill": ("drill_score", "Drill"),
    "objective": ("objective_score", "Time to roll back"),
}


def page(asked: Asked) -> html.Div:
    """Every workflow's chain, the weakest first; drills; and the days before."""
    view = asked.view
    rows = [row for row in view.rollback.to_dicts() if row["workflow"] != FLEET]
    if not rows:
        return html.Div([nothing_matches(view)])
    # Not proven first, then the weakest.
    rows.sort(key=lambda row: (row["score"] is not None, row["score"] or 0.0, row["workflow"]))
    drills = (
        asked.reader.rows("drills", [view.filters.workflow]).to_dicts() if asked.reader.has("drills_measured") else []
    )
    return html.Div(
        [
            html.P(_summary(rows), className="summary"),
            _tiles(rows, drills),
            _chains(rows),
            _times(rows),
            _days(asked, [row["workflow"] for row in rows]),
            _drills(drills),
        ]
    )


def _holds(rows: list[dict[str, Any]]) -> int:
    return sum(row["score"] == 1 for row in rows)


def _summary(rows: list[dict[str, Any]]) -> str:
    unproven = sum(row["score"] is None for row in rows)
    one = len(rows) == 1
    line = f"{_holds(rows)} of {len(rows)} workflows can be stopped and taken back, every link proven."
    if one:
        line = f"{text.plain(rows[0]['workflow'])}: {words.score(rows[0]['score'])}, {text.plain(rows[0]['detail'] or '', 120)}."
    elif unproven:
        line += f" {unproven} {'has' if unproven == 1 else 'have'} a link without evidence."
    if rows[0].get("to_do"):
        whose = "" if one else f" for {text.plain(rows[0]['workflow'], 40)}"
        line += f" Cheapest next step{whose}: {text.plain(rows[0]['to_do'], 160)}."
    return line


def _tiles(rows: list[dict[str, Any]], drills: list[dict[str, Any]]) -> html.Div:
    drilled = sum(bool(row.get("drill_score")) for row in rows)
    timed = [row for row in rows if row.get("objective_score") is not None]
    weakest = rows[0]
    return html.Div(
        [
            tile(
                "Weakest",
                words.score(weakest["score"]),
                key="rollback_readiness",
                coverage=f"proven for {sum(row['score'] is not None for row in rows)} of {len(rows)} workflows",
                foot=f"{text.plain(weakest['workflow'], 40)}: {text.plain(weakest['detail'] or '', 90)}",
            ),
            tile("Every link holds", text.count(_holds(rows)), key="readiness_links", foot=f"of {len(rows)} workflows"),
            tile(
                "Drilled in 90 days",
                text.count(drilled),
                key="drills",
                foot=f"of {len(rows)} workflows"
                + (f"; {len(drills)} {'drill' if len(drills) == 1 else 'drills'} measured" if drills else ""),
            ),
            tile(
                "Within the objective",
                text.count(sum(row["objective_score"] == 1 for row in timed)) if timed else text.UNKNOWN,
                key="readiness_links",
                foot=f"of {len(timed)} that were timed" if timed else "no rollback was ever timed",
            ),
        ],
        className="tiles four",
    )


def _chains(rows: list[dict[str, Any]]) -> html.Section:
    columns = [
        Column("Workflow"),
        Column("Readiness"),
        *(Column(name) for _, name in LINKS.values()),
        Column("Cheapest way to raise it"),
    ]
    body = [
        [
            stack(html.Span(text.plain(row["workflow"], 48), className="name"), text.plain(row["detail"] or "", 120)),
            _score(row["score"]),
            *(_link(row, link) for link in LINKS),
            text.plain(row.get("to_do") or ("nothing to do" if row["score"] == 1 else text.UNKNOWN), 160),
        ]
        for row in rows
    ]
    return card(
        "The chain of each workflow",
        table(
            columns,
            body,
            caption="Links of rollback readiness by workflow, the weakest workflow first",
            kind="cards chains",
        ),
        key="readiness_links",
        lead=f"As of {text.when(max(row['as_of'] for row in rows))}. A chain holds as much as its weakest link, which is marked.",
        wide=True,
    )


def _score(score: float | None) -> html.Span:
    tone = "warn" if score is None else "good" if score == 1 else "warn" if score >= 0.5 else "bad"
    return pill(words.score(score), tone)


def _link(row: dict[str, Any], link: str) -> html.Div:
    column, name = LINKS[link]
    value = row.get(column)
    is_weakest = row["weakest_link"] == link and row["score"] != 1
    said = "not proven" if value is None else words.score(float(value))
    tone = "bad" if is_weakest else "good" if value == 1 else ""
    under = "weakest" if is_weakest else None
    return html.Div(
        [
            html.Span([said, html.Span(f" {under}", className="weakest") if under else None]),
            meter(value, f"{name}: {said}", tone),
        ],
        className="link",
    )


def _times(rows: list[dict[str, Any]]) -> html.Section:
    columns = [
        Column("Workflow"),
        Column("Back to"),
        Column("Time to stop", True),
        Column("Time to roll back", True),
        Column("Objective", True),
        Column("Last drill"),
    ]
    body = [
        [
            html.Span(text.plain(row["workflow"], 48), className="name"),
            stack(
                text.plain(row.get("known_good_release") or "no earlier release", 40),
                f"{text.count(row.get('known_good_runs'))} settled runs" if row.get("known_good_release") else None,
            ),
            _minutes(row.get("stop_minutes")),
            _minutes(row.get("rollback_minutes")),
            stack(_minutes(row.get("objective_minutes")), _kept(row)),
            text.when(row.get("drill_at")) if row.get("drill_at") else "none in 90 days",
        ]
        for row in rows
    ]
    return card(
        "Where back to, and how long it takes",
        table(columns, body, caption="Known-good release and times by workflow", kind="cards"),
        key="rollback_readiness",
        lead="The longer of stopping and rolling back is held against the objective of the catalog, 15 minutes without one.",
        wide=True,
    )


def _kept(row: dict[str, Any]) -> html.Span:
    score = row.get("objective_score")
    if score is None:
        return pill("not timed", "warn")
    return pill("kept", "good") if score == 1 else pill("missed", "bad")


def _minutes(value: float | None) -> str:
    return text.UNKNOWN if value is None else text.lasted(timedelta(minutes=value))


def _days(asked: Asked, workflows: list[str]) -> html.Section:
    view = asked.view
    start = min(view.window.previous_start, view.window.start)
    scope = [start, view.window.end, view.filters.workflow]
    is_there = asked.reader.has("rollback_readiness_daily")  # since its first refresh by this version
    rows = asked.reader.rows("rollback_days", scope).to_dicts() if is_there else []
    dates = {row["date"] for row in rows}
    if len(dates) < 2:
        line = (
            "Readiness is on record for one day; a trend needs two." if dates else "No day of this period is on record."
        )
        return card("From day to day", html.P(line, className="said"), key="readiness_trend", wide=True)
    shown = [name for name in workflows if any(row["workflow"] == name for row in rows)]
    more = len(shown) - figures.ROWS
    return card(
        "From day to day",
        graph(figures.days(rows, shown), "Rollback readiness by workflow and day"),
        html.P(f"{more} workflows, the readiest, are not drawn.", className="under") if more > 0 else None,
        html.P(
            ["0 ", html.Span(className="ramp", **attributes(aria_hidden="true")), " 1; an empty day was not proven."],
            className="under",
        ),
        key="readiness_trend",
        coverage=f"{len(dates)} days",
        wide=True,
    )


def _drills(drills: list[dict[str, Any]]) -> html.Section:
    if not drills:
        return card(
            "Drills, as measured",
            html.P(
                [
                    "No drill was recorded here. Hold one: ",
                    html.Code("plumbline drill start WORKFLOW"),
                    ", stop the release, then ",
                    html.Code("plumbline drill stop"),
                    ". Drills that the traces themselves tell count all the same.",
                ],
                className="said",
            ),
            key="drills",
            wide=True,
        )
    columns = [
        Column("Drill"),
        Column("Workflow"),
        Column("Stopped"),
        Column("Took over"),
        Column("Time to stop", True),
        Column("Time to roll back", True),
        Column("Result"),
    ]
    body = [
        [
            text.when(row["started_at"]),
            html.Span(text.plain(row["workflow"], 48), className="name"),
            text.plain(row["release"] or text.UNKNOWN, 40),
            text.plain(row["taken_over_by"] or text.UNKNOWN, 40),
            _minutes(row["stop_minutes"]),
            _minutes(row["rollback_minutes"]),
            _result(row),
        ]
        for row in drills
    ]
    return card(
        "Drills, as measured",
        table(columns, body, caption="Rollback drills, the newest first", kind="cards"),
        key="drills",
        wide=True,
    )


def _result(row: dict[str, Any]) -> html.Span:
    if row["is_success"] is None:
        return pill("under way", "warn")
    if row["is_success"]:
        return pill("succeeded", "good")
    return pill("failed" if row["was_running"] else "nothing was running", "bad")


def _scope(view: View) -> list[str]:
    return ["The 30 days before the last refresh, drills of 90 days. All environments, teams and releases are covered."]


PAGE = Page(PATH, TITLE, "Rollback", page, "rollback.html", scope=_scope)

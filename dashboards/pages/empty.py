"""What pages show where there is nothing to show: why, and what to do about it."""

from __future__ import annotations

from datetime import timedelta

from dashboards import text
from dashboards.data import State, View
from dashboards.elements import dcc, html
from dashboards.pages.parts import notice

# Marts older than this against the stream are worth a word: a refresh is due every few minutes.
_LAG = timedelta(hours=1)


def not_ready(state: State) -> html.Section:
    """The page of a home that has no marts yet."""
    if state is State.EMPTY:
        return notice(
            "No traces yet",
            "Stream agent traces into the warehouse, then refresh the marts. This page fills by itself.",
            commands=("plumbline stream --until-end", "plumbline refresh"),
        )
    return notice(
        "Traces are in, the scorecard is not built yet",
        "Spans have been streamed, but no run has been computed from them. This page fills by itself.",
        commands=("plumbline refresh",),
    )


def not_refreshed(what: str) -> html.Section:
    """A page whose mart an earlier version did not have yet."""
    return notice(
        f"{what} are not counted yet",
        "The next refresh makes this page. It fills by itself.",
        commands=("plumbline refresh",),
    )


def nothing_matches(view: View, what: str = "run") -> html.Section:
    """A filter that leaves no run, or none of `what` a page shows of runs."""
    chosen = [text.plain(value) for value in (view.filters.workflow, view.filters.environment) if value]
    found = f"No {what} of {' in '.join(chosen)}" if chosen else f"No {what}"
    return notice(
        f"{found} in {view.window.name.lower() if view.window.days else 'this warehouse'}",
        f"There are {text.count(view.extent.runs)} runs from {text.when(view.extent.earliest_at)} "
        f"to {text.when(view.extent.latest_at)}.",
        dcc.Link("Show everything", href="?period=all"),
    )


def broken(what: str, where: str, todo: str) -> html.Section:
    """An error in one line: what went wrong, where, what to do."""
    return notice(what[:1].upper() + what[1:], where or None, todo)


def unknown_page() -> html.Section:
    """An address that is no page."""
    return notice("There is no page at this address", dcc.Link("Go to the scorecard", href="/"))


def lag(view: View) -> html.P | None:
    """A line that says the marts are older than the stream; None when they are not."""
    if view.streamed_at is None or view.streamed_at - view.extent.latest_at < _LAG:
        return None
    return html.P(
        [
            f"The stream is {text.lasted(view.streamed_at - view.extent.latest_at)} ahead of these figures: run ",
            html.Code("plumbline refresh"),
            ".",
        ],
        className="lag",
    )

"""The buttons of the incident page: what is pressed goes to the API, for whoever may, and about what they see.

Part of the app: it holds the callbacks that change something. Each checks the role again, whatever the page showed.
"""

from __future__ import annotations

from typing import Any

import duckdb
from dash import ALL, Dash, Input, Output, State, ctx, no_update

from dashboards.access import gate as gates
from dashboards.access.readers import Readers
from dashboards.desk import ACTS, Desk
from dashboards.filters import Filters
from warehouse import WarehouseError

# The longest silence that a page asks for, in hours.
_MOST_HOURS = 24 * 90


def wire(app: Dash, readers: Readers, desk: Desk) -> None:
    """Let the buttons of the incident page ask the API; what it says stands above the page until another is opened."""

    @app.callback(
        Output("told", "children"),
        Output("told", "className"),
        Output("revision", "data", allow_duplicate=True),
        Input({"act": ALL}, "n_clicks"),
        State({"act": ALL}, "id"),
        State("address", "search"),
        State("act-who", "value", allow_optional=True),
        State("act-why", "value", allow_optional=True),
        State("act-hours", "value", allow_optional=True),
        prevent_initial_call=True,
    )
    def answer(
        clicks: list[int | None],
        _names: list[dict[str, str]],
        search: str | None,
        who: str | None,
        why: str | None,
        hours: float | None,
    ) -> Any:
        pressed, incident = ctx.triggered_id, Filters.parse(search).incident
        if not any(clicks) or not isinstance(pressed, dict) or pressed.get("act") not in ACTS or not incident:
            return no_update, no_update, no_update
        asking = gates.viewer()
        reader = readers.reader_for(asking)
        # The page of whoever may not has no buttons; a request can be made without a page.
        if not asking.can_operate:
            return "Your role may look at incidents, and not answer them.", "told bad", no_update
        try:
            is_seen = bool(reader.rows("incident_seen", [incident]).item())
        except (WarehouseError, duckdb.Error):
            is_seen = False
        if asking.teams is not None and not is_seen:
            return "There is no such incident among those that you see.", "told bad", no_update
        who = asking.name or str(who or "")
        said = desk.act(pressed["act"], incident, who=who, why=str(why or ""), hours=_number(hours))
        shown = "told good" if said.is_done else "told bad"
        try:
            now = reader.revision() if said.is_done else no_update
        except (WarehouseError, duckdb.Error):
            now = no_update
        return said.line, shown, now

    @app.callback(
        Output("told", "children", allow_duplicate=True),
        Output("told", "className", allow_duplicate=True),
        Input("address", "pathname"),
        Input("address", "search"),
        prevent_initial_call=True,
    )
    def forget(_path: str | None, _search: str | None) -> tuple[str, str]:
        return "", "told"


def _number(hours: Any) -> float | None:
    return hours if isinstance(hours, (int, float)) and 0 < hours <= _MOST_HOURS else None

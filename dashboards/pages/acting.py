"""The controls of the incident page: who says so, why, and what is to be done with it."""

from __future__ import annotations

from typing import Any, Literal

from dashboards.desk import ACTS
from dashboards.elements import dcc, html
from dashboards.pages.parts import attributes

#: What can be done with an incident, by its state; the first one stands out.
_OFFERED = {
    "open": ("real", "false", "take", "resolve"),
    "acknowledged": ("real", "false", "resolve"),
    "silenced": ("unsilence", "real", "false", "resolve"),
    "resolved": ("reopen",),
    "merged": ("reopen",),
}
_HOURS = {1: "for 1 hour", 4: "for 4 hours", 24: "for 1 day", 72: "for 3 days", 168: "for 1 week"}
_LONGEST = {"who": 100, "why": 2000}


def controls(row: dict[str, Any], *, has_names: bool = False) -> html.Div:
    """What can be done with an incident in its state.

    Parameters
    ----------
    row : dict
        Row of ``incidents``.
    has_names : bool
        Whether people sign in: then no name is asked for.
    """
    state = row["state"] or "open"
    # What is typed outlives a page that is made anew, until the state is another.
    kept = f"{row['incident_id']}/{state}/{row.get('silenced_until')}"
    buttons = [_button(name, is_first=place == 0) for place, name in enumerate(_OFFERED.get(state, ()))]
    return html.Div(
        [
            html.Div(
                [
                    None
                    if has_names
                    else _field("who", "Your name", "as it shall stand in the history", "plumbline", "local"),
                    _field("why", "Why", "a silence needs a reason", kept, "session"),
                ],
                className="act-fields",
            ),
            html.Div(
                [
                    html.Div(buttons, className="act-buttons"),
                    _silence(kept) if state in ("open", "acknowledged", "silenced") else None,
                ],
                className="act-row",
            ),
        ],
        className="act",
        id="act",
        **attributes(role="group", aria_label="Answer this incident"),
    )


def _button(name: str, *, is_first: bool = False) -> html.Button:
    return html.Button(ACTS[name].name, id={"act": name}, type="button", className="do first" if is_first else "do")


def _field(name: str, label: str, hint: str, kept: str, where: Literal["local", "session"]) -> html.Div:
    return html.Div(
        [
            html.Label(label, htmlFor=f"act-{name}"),
            dcc.Input(
                id=f"act-{name}",
                type="text",
                value="",
                placeholder=hint,
                maxLength=_LONGEST[name],
                autoComplete="off",
                persistence=kept,
                persistence_type=where,
                className="typed",
            ),
        ],
        className=f"act-field {name}",
    )


def _silence(kept: str) -> html.Div:
    picker = dcc.Dropdown(
        id="act-hours",
        options=[{"label": name, "value": hours} for hours, name in _HOURS.items()],
        value=4,
        clearable=False,
        searchable=False,
        persistence=kept,
        persistence_type="session",
        className="pick",
    )
    return html.Div([_button("silence"), picker], className="act-silence")

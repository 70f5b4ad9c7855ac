"""Whom an incident was told: each notification, through which channel, and what the other side answered."""

from __future__ import annotations

from typing import Any

from dashboards import text
from dashboards.data import Reader
from dashboards.elements import html
from dashboards.pages.parts import Column, pill, stack, table

# More notifications than this are a history, not a log.
_MOST = 30

_OCCASIONS = {
    "opened": "It opened",
    "changed": "It grew",
    "reopened": "It was reopened",
    "acknowledged": "It was taken on",
    "silenced": "It was silenced",
    "resolved": "It was resolved",
    "renotified": "Still open",
    "escalated": "Nobody took it on",
}
_STATES = {
    "delivered": ("delivered", "good"),
    "waiting": ("waiting", "warn"),
    "set_aside": ("not delivered", "bad"),
    "gathered": ("in a digest", ""),
}
_COLUMNS = (
    Column("Why"),
    Column("For whom"),
    Column("State"),
    Column("Tries", True),
    Column("When"),
    Column("Answer"),
)


def log(reader: Reader, incident_id: str) -> list[Any]:
    """The delivery log of an incident, the newest first; a line where nothing was to be told."""
    if not reader.has("notifications", "delivery_attempts"):
        return []
    found = reader.rows("delivery_log", [incident_id, _MOST + 1]).to_dicts()
    heading = html.H3("Whom it was told")
    if not found:
        said = "Nobody: no subscription asked for it, or nothing delivers ("
        return [
            heading,
            html.P([said, html.Code("plumbline alerts deliveries --held"), " says why)."], className="under"),
        ]
    shown = table(
        _COLUMNS,
        [_row(row) for row in found[:_MOST]],
        caption="Notifications of the incident, the newest first",
        kind="cards",
    )
    if len(found) <= _MOST:
        return [heading, shown]
    return [
        heading,
        shown,
        html.P([f"The newest {_MOST}; ", html.Code("plumbline alerts deliveries"), " has all."], className="under"),
    ]


def _row(row: dict[str, Any]) -> list[Any]:
    name, tone = _STATES.get(row["status"], (text.plain(row["status"], 30), ""))
    later = row["next_try_at"] if row["status"] == "waiting" else None
    state = stack(
        pill(name, tone), f"next try {text.when(later)}" if later else "in a digest" if row["is_gathered"] else None
    )
    settled = row["settled_at"]
    took = f"settled after {text.lasted(settled - row['made_at'])}" if settled else None
    return [
        _OCCASIONS.get(row["occasion"], text.plain(row["occasion"], 40)),
        stack(text.plain(row["subscription"], 60), f"through {text.plain(row['channel'], 60)}"),
        state,
        text.count(row["tries"]),
        stack(text.when(row["made_at"]), took),
        text.plain(row["said"], 160) if row["said"] else text.UNKNOWN,
    ]

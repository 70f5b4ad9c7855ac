"""Messages as the outbox would hand them over: an incident, its resolution, a hostile one, a huge one, a digest."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from pipelines.notifications.message import Message

LINK = "https://plumbline.example.com/drift?incident=8a1f00c2d4e5b697"
INCIDENT = {
    "incident_id": "8a1f00c2d4e5b697",
    "workflow": "refund-desk",
    "family": "tool",
    "families": ["tool", "cost"],
    "severity": "critical",
    "state": "open",
    "headline": "lookup_order fails in 31 % of its calls, before in 2 %",
    "onset_at": "2026-05-04T09:12:00Z",
    "opened_at": "2026-05-04T10:30:00Z",
    "last_signal_at": "2026-05-04T10:30:00Z",
    "signals": 3,
    "run_ids": ["5b8aa5a2d2c872e8321cf37308d69df2"],
}
OPENED = Message(
    notification_id="00c0ffee00c0ffee",
    subscription="payments-oncall",
    kind="drift",
    subject_id="8a1f00c2d4e5b697",
    occasion="opened",
    state="open",
    severity="critical",
    workflow="refund-desk",
    family="tool",
    team="payments",
    environment="production",
    headline="lookup_order fails in 31 % of its calls, before in 2 %",
    details=(("Likely cause", "tool version 2.4.0, since 09:10"), ("Contained", "yes, one workflow")),
    opened_at=datetime(2026, 5, 4, 10, 30),
    changed_at=datetime(2026, 5, 4, 10, 30),
    link=LINK,
    data=INCIDENT,
)
#: Mentions, links, templates, markup, marks of direction, controls, an unpaired surrogate, a header.
HOSTILE = (
    "<!here> @everyone <@U012AB3CD> <at>Ann</at> [x](javascript:alert(1)) {{ constructor }} ${7*7} {% raw %} "
    "<script>alert(1)</script><img src=x onerror=alert(1)> *bold* _i_ `c` https://evil.example/x "
    "\u202egnp.exe\u2066 \r\nBcc: evil@example.com\r\n\r\n \"'& \x1b[31m \x00 \ud800 \u2028 end"
)


def message(**changes: Any) -> Message:
    """Return the opened incident with changes."""
    return replace(OPENED, **changes)


def hostile() -> Message:
    """Return an incident whose every text is hostile."""
    names = {"workflow": HOSTILE, "team": HOSTILE, "environment": HOSTILE, "headline": HOSTILE}
    data = {**INCIDENT, "headline": HOSTILE.encode("utf-8", "replace").decode(), "workflow": "x"}
    return message(**names, details=(("Likely cause", HOSTILE), ("Tool", HOSTILE)), data=data)


def huge() -> Message:
    """Return an incident with a headline of a megabyte and more details than anybody reads."""
    details = tuple((f"Detail {number}", "<&> " * 20_000) for number in range(200))
    return message(
        headline="A" * 2**20,
        details=details,
        data={**INCIDENT, "headline": "A" * 2**20, "run_ids": ["ab" * 16] * 5_000},
    )


def digest(count: int = 3) -> Message:
    """Return a digest of some incidents."""
    items = tuple(
        message(notification_id=f"{number:016x}", subject_id=f"{number + 1:016x}", headline=f"finding {number}")
        for number in range(count)
    )
    return message(
        kind="digest",
        occasion="digest",
        subject_id="d1d1d1d1d1d1d1d1",
        headline=f"{count} findings in the last hour",
        workflow=None,
        family=None,
        details=(),
        data={},
        items=items,
    )

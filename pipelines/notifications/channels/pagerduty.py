"""PagerDuty, through its Events API v2: one alert per subject, acknowledged and resolved with it.

References
----------
PagerDuty developer documentation, "Send an alert event" (summary 1,024 characters, dedup_key 255, event 512 KB).
"""

from __future__ import annotations

import json
from typing import Any

from pipelines.contracts.channels import PagerDutyEntry
from pipelines.notifications.answers import never_raises
from pipelines.notifications.channels.credentials import Credentials
from pipelines.notifications.channels.http import Http, host_of
from pipelines.notifications.documents import utc
from pipelines.notifications.message import Answer, Message
from pipelines.notifications.rendering import Rendered, clean, fitted, render, shortened

_SUMMARY, _FIELD = 1_024, 255
#: The longest event, in bytes.
LIMIT = 500_000


class PagerDutyChannel:
    """Sends each message as an event of the alert whose ``dedup_key`` is the subject's id.

    Raises
    ------
    TerminalError
        A routing key that is missing, or that would travel in clear text.
    """

    def __init__(self, name: str, entry: PagerDutyEntry, credentials: Credentials) -> None:
        self.name = name
        self._url, self._source = entry.url, entry.source
        host_of(entry.url, f"channel {name}, url", secret=True)
        self._key = credentials.reveal(entry.routing_key, "routing_key")
        self._http = Http(entry, [self._key], f"channel {name}")

    @never_raises
    def send(self, message: Message) -> Answer:
        """Send the event once."""
        body = fitted(render(message), lambda rendered: self._encoded(message, rendered), len, LIMIT)
        return self._http.post(self._url, body).answer

    def close(self) -> None:
        """Let go of the connection."""
        self._http.close()

    def _encoded(self, message: Message, rendered: Rendered) -> bytes:
        details: dict[str, Any] = dict(rendered.facts)
        details |= {"Subscription": message.subscription, "Notification": message.notification_id}
        if rendered.items:
            details["Items"] = list(rendered.items)
        if rendered.more:
            details["More"] = rendered.more
        event: dict[str, Any] = {
            "routing_key": self._key,
            "event_action": action(message),
            "dedup_key": message.subject_id[:_FIELD],
            "client": "Plumbline",
            "payload": {
                "summary": shortened(rendered.title, _SUMMARY),
                "source": self._source,
                "severity": message.severity if message.severity in ("info", "warning", "critical") else "error",
                "timestamp": utc(message.changed_at),
                "class": message.family or message.kind,
                "custom_details": details,
            },
        }
        grouped = {"component": message.workflow, "group": message.team}
        event["payload"] |= {key: clean(value, _FIELD) for key, value in grouped.items() if value}
        if rendered.link:
            event["client_url"] = rendered.link
            event["links"] = [{"href": rendered.link, "text": "Open on the dashboard"}]
        return json.dumps(event, ensure_ascii=False).encode()


def action(message: Message) -> str:
    """Return what happens to the alert: ``trigger``, ``acknowledge`` or ``resolve``.

    A silenced subject is acknowledged, which ends the paging. What is new about an acknowledged one triggers again, which
    PagerDuty adds to the alert without paging.
    """
    if message.state == "resolved":
        return "resolve"
    return "acknowledge" if message.occasion in ("acknowledged", "silenced") else "trigger"

"""Prometheus Alertmanager, through its API v2: one alert per subject, firing until the subject is resolved.

An alert is known by its labels, and labels such as the severity may change while the subject lives. So Alertmanager is first
asked which alerts of the subject it holds, and those with other labels are ended in the same request.

References
----------
Alertmanager 0.25 ``api/v2/openapi.yaml``: ``postableAlert``, ``GET /alerts``.
"""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from pipelines.contracts.channels import AlertmanagerEntry
from pipelines.notifications.answers import answer, never_raises
from pipelines.notifications.channels.credentials import Credentials
from pipelines.notifications.channels.http import Http, Reply, host_of
from pipelines.notifications.documents import utc
from pipelines.notifications.message import Answer, Message, Verdict
from pipelines.notifications.rendering import Rendered, clean, fitted, render

#: Alertmanager ends an alert that nobody repeats after five minutes, unless the alert says how long it lasts.
FIRING = timedelta(days=365)
#: What nobody resolves ends by itself: a sample, a digest, an operational event.
PASSING = timedelta(minutes=5)
_LABEL = 200
#: The longest request, and the longest list of a subject's alerts, in bytes: Alertmanager writes some characters as six.
LIMIT, _HELD = 20_000, 2**20
#: Names the subject among the labels.
SUBJECT = "subject_id"


class AlertmanagerChannel:
    """Keeps one alert per subject.

    Raises
    ------
    TerminalError
        A token or password that is missing, or that would travel in clear text.
    """

    def __init__(self, name: str, entry: AlertmanagerEntry, credentials: Credentials) -> None:
        self.name = name
        self._alerts = entry.url.rstrip("/") + "/api/v2/alerts"
        self._labels = dict(entry.labels)
        host_of(entry.url, f"channel {name}, url", secret=bool(entry.token or entry.password))
        secret = ""
        self._headers: dict[str, str] = {}
        if entry.token:
            secret = credentials.reveal(entry.token, "token")
            self._headers = {"Authorization": f"Bearer {secret}"}
        elif entry.username and entry.password:
            secret = credentials.reveal(entry.password, "password")
            login = base64.b64encode(f"{entry.username}:{secret}".encode()).decode()
            self._headers = {"Authorization": f"Basic {login}"}
        self._http = Http(entry, [secret], f"channel {name}")

    @never_raises
    def send(self, message: Message) -> Answer:
        """Bring the subject's alert to the message's state."""
        query = f"{self._alerts}?filter={quote(f'{SUBJECT}={json.dumps(message.subject_id)}')}"
        reply = self._http.get(query, _HELD, self._headers)
        if reply.answer.verdict is not Verdict.DELIVERED:
            return reply.answer
        held = _alerts(reply)
        if held is None:
            # A page to log in on also answers 200, to the alert as well.
            return answer(Verdict.REJECTED, f"no Alertmanager: it answers no list of alerts, HTTP {reply.status}")
        now = datetime.now(UTC).replace(tzinfo=None)
        labels = self._labels | _labels(message)
        gone = [_ended(alert, now) for alert in held if alert.get("labels") != labels]
        body = fitted(render(message), lambda rendered: _encoded(message, rendered, labels, gone, now), len, LIMIT)
        return self._http.post(self._alerts, body, self._headers).answer

    def close(self) -> None:
        """Let go of the connection."""
        self._http.close()


def _encoded(
    message: Message, rendered: Rendered, labels: dict[str, str], gone: list[dict[str, Any]], now: datetime
) -> bytes:
    alert = {
        "labels": labels,
        "annotations": _annotations(message, rendered),
        "startsAt": utc(min(message.opened_at, now)),
        # Alertmanager takes what ends in the past for resolved, and nothing that ends before it starts.
        "endsAt": utc(now if message.state == "resolved" else now + (PASSING if message.is_instant else FIRING)),
    }
    if rendered.link:
        alert["generatorURL"] = rendered.link
    return json.dumps([*gone, alert], ensure_ascii=False).encode()


def _labels(message: Message) -> dict[str, str]:
    """Return the labels of a subject's alert; one without a value is left out, which Alertmanager takes for the same."""
    values = {
        "alertname": f"Plumbline{message.kind.capitalize()}",
        SUBJECT: message.subject_id,
        "severity": message.severity,
        "workflow": message.workflow,
        "family": message.family,
        "team": message.team,
        "environment": message.environment,
    }
    return {name: clean(value, _LABEL) for name, value in values.items() if value}


def _annotations(message: Message, rendered: Rendered) -> dict[str, str]:
    return {
        "summary": rendered.title,
        "description": "\n".join(rendered.lines()),
        "state": message.state,
        "occasion": message.occasion,
        "notification_id": message.notification_id,
    }


def _alerts(reply: Reply) -> list[dict[str, Any]] | None:
    """Return the alerts that Alertmanager holds of the subject; None of an answer that is no list of them."""
    try:
        found = json.loads(reply.text)
    except ValueError:
        return None
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else None


def _ended(alert: dict[str, Any], now: datetime) -> dict[str, Any]:
    return {key: alert[key] for key in ("labels", "startsAt") if key in alert} | {"endsAt": utc(now)}

"""Notifications become messages: what a channel is given to say, with a link to the subject on the dashboard."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlencode

from pipelines.notifications.message import Message
from pipelines.notifications.routing import Notification

#: Items that a digest names; it says how many there are besides.
MOST_ITEMS = 50


def message_of(notification: Notification, dashboard_url: str = "") -> Message:
    """Return the message of a notification; of a digest the gravest ones, and the number of all."""
    if notification.subject is None:
        return _gathered(notification, dashboard_url)
    subject = notification.subject
    return Message(
        notification_id=notification.notification_id,
        subscription=notification.subscription,
        kind=subject.kind,
        subject_id=subject.subject_id,
        occasion=notification.occasion,
        state=subject.state,
        severity=subject.severity,
        headline=subject.headline,
        opened_at=subject.opened_at,
        changed_at=subject.changed_at,
        is_instant=subject.is_instant,
        workflow=subject.workflow,
        family=subject.family,
        team=subject.team,
        environment=subject.environment,
        details=subject.details,
        link=_link(dashboard_url, subject.kind, subject.subject_id, subject.workflow),
        data=subject.data,
    )


def _gathered(notification: Notification, dashboard_url: str) -> Message:
    items = [message_of(item, dashboard_url) for item in notification.items]
    gravest = items[0]
    workflows = {item.workflow for item in items}
    workflow = gravest.workflow if len(workflows) == 1 else None
    states = "open" if any(item.state == "open" for item in items) else gravest.state
    return Message(
        notification_id=notification.notification_id,
        subscription=notification.subscription,
        kind="digest",
        subject_id=notification.notification_id,
        occasion="digest",
        state=states,
        severity=gravest.severity,
        headline=_summary(items),
        opened_at=min(item.opened_at for item in items),
        changed_at=max(item.changed_at for item in items),
        is_instant=True,
        workflow=workflow,
        link=_link(dashboard_url, "digest", "", workflow),
        items=tuple(items[:MOST_ITEMS]),
    )


def _summary(items: list[Message]) -> str:
    by_state = [
        (state, sum(item.state == state for item in items))
        for state in ("open", "acknowledged", "silenced", "resolved")
    ]
    counts = ", ".join(f"{count} {state}" for state, count in by_state if count)
    return f"{len(items)} alert{'s' if len(items) > 1 else ''}: {counts}"


def _link(dashboard_url: str, kind: str, subject_id: str, workflow: str | None) -> str | None:
    if not dashboard_url:
        return None
    page = {"drift": "drift", "digest": "drift", "budget": "cost", "forecast": "cost"}.get(kind, "")
    query = {"workflow": workflow, "incident": subject_id if kind == "drift" else None}
    asked = urlencode({name: value for name, value in query.items() if value})
    return f"{dashboard_url.rstrip('/')}/{page}" + (f"?{asked}" if asked else "")


def sample(subscription: str, at: datetime, notification_id: str, dashboard_url: str = "") -> Message:
    """Return the marked sample that ``plumbline alerts test`` sends."""
    headline = "TEST: a sample alert of plumbline, nothing has happened"
    return Message(
        notification_id=notification_id,
        subscription=subscription,
        kind="test",
        subject_id=f"test-{notification_id}",
        occasion="test",
        state="open",
        severity="info",
        headline=headline,
        opened_at=at,
        changed_at=at,
        is_instant=True,
        details=(("Sample", "sent by `plumbline alerts test`"),),
        link=_link(dashboard_url, "test", "", None),
        data={"subject_id": f"test-{notification_id}", "kind": "test", "state": "open", "headline": headline},
    )

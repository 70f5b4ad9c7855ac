"""A message as programs read it: JSON as ``pipelines/contracts/notification.schema.json`` describes, cut to a limit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pipelines.notifications.message import Message

#: Lengths of texts (characters) and lists (items) that are tried one after the other; the ids and names of a subject are shorter.
_LIMITS = ((None, None), (2_000, 200), (500, 50), (200, 20), (120, 5))


def notification(message: Message) -> dict[str, Any]:
    """Return the whole of a message; its texts are as they are, which JSON needs no other escape for."""
    return {
        **_said(message),
        "notification_id": message.notification_id,
        "subscription": message.subscription,
        "team": message.team,
        "environment": message.environment,
        "details": [{"label": label, "value": value} for label, value in message.details],
        "subject": dict(message.data) or None,
        "items": [_said(item) for item in message.items],
        "cut": False,
    }


def _said(message: Message) -> dict[str, Any]:
    return {
        "kind": message.kind,
        "subject_id": message.subject_id,
        "occasion": message.occasion,
        "state": message.state,
        "severity": message.severity,
        "workflow": message.workflow,
        "family": message.family,
        "headline": message.headline,
        "opened_at": utc(message.opened_at),
        "changed_at": utc(message.changed_at),
        "link": message.link,
    }


def utc(at: datetime) -> str:
    """Return a time of the warehouse, UTC without a zone, in RFC 3339."""
    return at.isoformat() + "Z"


def encoded(document: Mapping[str, Any], limit: int) -> bytes:
    """Return a document as JSON of at most ``limit`` bytes: long texts and lists are cut until it fits.

    Every key stays; texts that were cut end in an ellipsis, and ``cut`` says so where the document has it.

    Raises
    ------
    ValueError
        It does not fit however it is cut.
    """
    for text, items in _LIMITS:
        smaller = document if text is None or items is None else _marked(_cut(document, text, items))
        raw = json.dumps(smaller, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8", "replace")
        if len(raw) <= limit:
            return raw
    raise ValueError(f"no form of the message fits {limit} bytes")


def _marked(document: dict[str, Any]) -> dict[str, Any]:
    """Say of a cut document that it is one, at its root or in its ``data``."""
    for place in (document, document.get("data")):
        if isinstance(place, dict) and "cut" in place:
            place["cut"] = True
    return document


def _cut(value: Any, text: int, items: int) -> Any:
    if isinstance(value, str):
        return value if len(value) <= text else value[: text - 1] + "…"
    if isinstance(value, Mapping):
        # An address that was cut leads nowhere.
        return {key: each if key == "link" else _cut(each, text, items) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_cut(each, text, items) for each in value[:items]]
    return value

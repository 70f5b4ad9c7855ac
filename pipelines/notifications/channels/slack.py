"""Slack, through an incoming webhook, as Block Kit.

What came from traces stands in ``plain_text`` objects, where Slack reads no marks and no mentions.

References
----------
docs.slack.dev, "Block Kit" (header 150 characters, section 3,000, ten fields of 2,000, 50 blocks) and "Formatting message
text".
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from pipelines.contracts.channels import SlackEntry
from pipelines.notifications.answers import never_raises
from pipelines.notifications.channels.credentials import Credentials
from pipelines.notifications.channels.http import Http
from pipelines.notifications.message import Answer, Message
from pipelines.notifications.rendering import Rendered, fitted, mrkdwn, render, shortened, slack

#: Of each kind of text, in characters; of all the text of a message, which Slack cuts at 40,000.
_HEADER, _SECTION, _FIELD, _FIELDS, _MESSAGE = 150, 3_000, 2_000, 10, 30_000
#: Each item of a digest is a block, and a message has at most 50 of them.
_ITEMS = 40


class SlackChannel:
    """Posts each message to the webhook's channel.

    Raises
    ------
    TerminalError
        An address that is missing, is none, or is not https.
    """

    def __init__(self, name: str, entry: SlackEntry, credentials: Credentials) -> None:
        self.name = name
        self._url = credentials.address(entry.url, "url")
        self._http = Http(entry, [self._url], f"channel {name}")

    @never_raises
    def send(self, message: Message) -> Answer:
        """Post the message once."""
        body = fitted(render(message), lambda rendered: _payload(message, rendered), _size, _MESSAGE)
        return self._http.post(self._url, json.dumps(body).encode()).answer

    def close(self) -> None:
        """Let go of the connection."""
        self._http.close()


def _payload(message: Message, rendered: Rendered) -> dict[str, Any]:
    facts = [f"{label}\n{value}" for label, value in rendered.facts]
    fields = [_plain(text, _FIELD) for text in facts]
    foot = f"{message.subscription} · {message.kind} {message.subject_id} · notification {message.notification_id}"
    # A header holds less than a title may have.
    beside = [{"type": "section", "text": _plain(rendered.title, _SECTION)}] if _over(rendered.title, _HEADER) else []
    cut = rendered.cut or len(rendered.items) > _ITEMS or any(_over(text, _FIELD) for text in facts)
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": _plain(rendered.title, _HEADER)},
        *beside,
        *({"type": "section", "fields": fields[at : at + _FIELDS]} for at in range(0, len(fields), _FIELDS)),
        *({"type": "section", "text": _plain(f"• {item}", _SECTION)} for item in rendered.items[:_ITEMS]),
        *_link(replace(rendered, cut=cut)),
        {"type": "context", "elements": [_plain(foot, _FIELD)]},
    ]
    # What a notification on a phone shows; here Slack reads marks.
    return {"text": mrkdwn(rendered.title), "blocks": blocks}


def _link(rendered: Rendered) -> list[dict[str, Any]]:
    if rendered.link:
        said = "… more on the dashboard" if rendered.cut else "Open on the dashboard"
        text = f"<{slack(rendered.link)}|{said}>"
    elif rendered.more:
        text = mrkdwn(rendered.more)
    else:
        return []
    return [{"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}]


def _over(text: str, most: int) -> bool:
    return len(slack(text)) > most


def _plain(text: str, most: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": slack(shortened(text, most, slack)), "emoji": False}


def _size(payload: dict[str, Any]) -> int:
    return len(json.dumps(payload, ensure_ascii=False))

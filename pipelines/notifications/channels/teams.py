"""Microsoft Teams, through a Workflows webhook, as an Adaptive Card.

What came from traces stands in text runs: unlike text blocks and facts they read no Markdown, so there is nothing to escape.

References
----------
Microsoft Learn, "Create incoming webhooks with Workflows for Microsoft Teams" (a message holds 28 KB); Adaptive Cards 1.4,
``TextRun``.
"""

from __future__ import annotations

import json
import re
from typing import Any

from pipelines.contracts.channels import TeamsEntry
from pipelines.notifications.answers import answer, never_raises
from pipelines.notifications.channels.credentials import Credentials
from pipelines.notifications.channels.http import Http, Reply
from pipelines.notifications.message import Answer, Message, Verdict
from pipelines.notifications.rendering import Rendered, fitted, render

#: The longest body, in bytes: a little below the 28 KB that Teams takes.
LIMIT = 27_000
_COLOURS = {"critical": "Attention", "warning": "Warning", "info": "Accent"}


class TeamsChannel:
    """Posts each message to the workflow's channel or chat.

    Raises
    ------
    TerminalError
        An address that is missing, is none, or is not https.
    """

    def __init__(self, name: str, entry: TeamsEntry, credentials: Credentials) -> None:
        self.name = name
        self._url = credentials.address(entry.url, "url")
        self._secrets = [self._url]
        self._http = Http(entry, self._secrets, f"channel {name}")

    @never_raises
    def send(self, message: Message) -> Answer:
        """Post the message once."""
        body = fitted(render(message), lambda rendered: _encoded(message, rendered), len, LIMIT)
        return self._judged(self._http.post(self._url, body))

    def close(self) -> None:
        """Let go of the connection."""
        self._http.close()

    def _judged(self, reply: Reply) -> Answer:
        """Read what the older connectors say with status 200: that Teams itself refused."""
        inner = re.search(r"endpoint returned HTTP error (\d{3})", reply.text)
        if reply.answer.verdict is not Verdict.DELIVERED or inner is None:
            return reply.answer
        later = inner[1] in ("408", "429") or inner[1].startswith("5")
        return answer(Verdict.RETRY if later else Verdict.REJECTED, reply.text, self._secrets)


def _encoded(message: Message, rendered: Rendered) -> bytes:
    foot = f"{message.subscription} · {message.kind} {message.subject_id} · notification {message.notification_id}"
    title = {"size": "Medium", "weight": "Bolder", "color": _COLOURS.get(message.severity, "Default")}
    if message.state == "resolved":
        title["color"] = "Good"
    body = [
        _block(_run(rendered.title, **title)),
        *(_block(_run(f"{label}: ", weight="Bolder"), _run(value)) for label, value in rendered.facts),
        *(_block(_run(f"• {item}")) for item in rendered.items),
        *([_block(_run(rendered.more))] if rendered.more else []),
        _block(_run(foot, size="Small", isSubtle=True)),
    ]
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "fallbackText": rendered.title,
        "msteams": {"width": "Full"},
        "body": body,
    }
    if rendered.link:
        card["actions"] = [{"type": "Action.OpenUrl", "title": "Open on the dashboard", "url": rendered.link}]
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return json.dumps({"type": "message", "attachments": [attachment]}, ensure_ascii=False).encode()


def _block(*runs: dict[str, Any]) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": list(runs)}


def _run(text: str, **looks: Any) -> dict[str, Any]:
    return {"type": "TextRun", "text": text, **looks}

"""Everything else: the services that the package ``apprise`` knows, by an address in its notation."""

from __future__ import annotations

import re
from typing import Any

import apprise
from apprise.result import AppriseResultStatus

from pipelines.contracts.channels import AppriseEntry
from pipelines.errors import TerminalError
from pipelines.notifications.answers import answer, never_raises
from pipelines.notifications.channels.credentials import Credentials
from pipelines.notifications.message import Answer, Message, Verdict
from pipelines.notifications.rendering import Rendered, fitted, render, shortened

#: No redirects, nothing kept on disk, nothing in a text taken for an escape or a template.
_ASSET = apprise.AppriseAsset(
    http_redirects=False,
    storage_mode="memory",
    allow_templates=False,
    interpret_escapes=False,
    interpret_emojis=False,
    result_log_disk_size=0,
    service_timeout=30.0,
    app_id="Plumbline",
    app_desc="Plumbline",
    language="en",
)
_TYPES = {
    "info": apprise.NotifyType.INFO,
    "warning": apprise.NotifyType.WARNING,
    "critical": apprise.NotifyType.FAILURE,
}


class AppriseChannel:
    """Hands each message to one service.

    Raises
    ------
    TerminalError
        An address that is missing, or that apprise does not know.
    """

    def __init__(self, name: str, entry: AppriseEntry, credentials: Credentials) -> None:
        self.name = name
        url = credentials.reveal(entry.url, "url")
        found: Any = apprise.Apprise.instantiate(url, asset=_ASSET)
        if found is None:
            todo = "give one that `apprise --dry-run` takes; a scheme without its package is none"
            raise TerminalError("not an address of apprise", f"channel {name}, url", todo)
        self._service = found
        parts = (url.partition("://")[2], *(part for part in re.split(r"[/:@?&=]", url.partition("://")[2])))
        self._secrets = [url, *(part for part in parts if len(part) >= 8)]

    @never_raises
    def send(self, message: Message) -> Answer:
        """Hand the message over once.

        Apprise says no more than whether it was taken; why is in its log of the try.
        """
        body_limit = int(self._service.body_maxlen)
        title, body = fitted(render(message), _said, lambda said: len(said[0]) + len(said[1]) + 2, max(body_limit, 60))
        title = shortened(title, int(self._service.title_maxlen) or len(title))
        kind = apprise.NotifyType.SUCCESS if message.state == "resolved" else _TYPES.get(message.severity)
        sender = apprise.Apprise(self._service, asset=_ASSET)
        result = sender.notify(
            body=body,
            title=title,
            notify_type=kind or apprise.NotifyType.INFO,
            body_format=apprise.NotifyFormat.TEXT,
        )
        if result.status == AppriseResultStatus.SUCCESS:
            return answer(Verdict.DELIVERED, "taken by the service", self._secrets)
        lines = [entry.message for each in result.results for entry in each.logs()]
        said = " ".join(lines) or f"the service did not take it ({result.status.name.lower()})"
        return answer(_verdict(said), said, self._secrets)

    def close(self) -> None:
        """Nothing to let go of."""


def _said(rendered: Rendered) -> tuple[str, str]:
    return rendered.title, "\n".join(rendered.lines()) or rendered.title


def _verdict(said: str) -> Verdict:
    """Return what a failure means: the status in apprise's log line where there is one, else another try."""
    status = re.search(r"error=(\d{3})", said)
    final = status is not None and status[1].startswith("4") and status[1] not in ("408", "425", "429")
    return Verdict.REJECTED if final else Verdict.RETRY

"""E-mail through an SMTP server: a text part, an HTML part, and threads that follow the subject's life."""

from __future__ import annotations

import smtplib
import socket
import ssl
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from typing import Any

from pipelines.contracts.channels import EmailEntry
from pipelines.errors import TerminalError
from pipelines.notifications.answers import answer, never_raises
from pipelines.notifications.channels.credentials import Credentials
from pipelines.notifications.channels.deadline import Deadline
from pipelines.notifications.channels.http import is_loopback
from pipelines.notifications.message import Answer, Message, Verdict
from pipelines.notifications.rendering import Rendered, fitted, markup, render, shortened

_PORTS = {"starttls": 587, "tls": 465, "none": 25}
_SUBJECT = 200
#: The longest mail, in bytes.
LIMIT = 200_000


class EmailChannel:
    """Sends each message to all recipients in one dialogue with the server.

    Raises
    ------
    TerminalError
        A password that is missing, or that would travel in clear text; a file of authorities that can't be used.
    """

    def __init__(self, name: str, entry: EmailEntry, credentials: Credentials) -> None:
        self.name = name
        self._entry = entry
        self.server: smtplib.SMTP | None = None
        self._password = credentials.reveal(entry.password, "password") if entry.password else None
        if self._password and entry.security == "none" and not is_loopback(entry.host):
            raise TerminalError(
                "a secret would travel in clear text", f"channel {name}", "use security: starttls or tls"
            )
        try:
            self._context = ssl.create_default_context(cafile=str(entry.ca_file) if entry.ca_file else None)
        except (OSError, ssl.SSLError):
            todo = f"make {entry.ca_file} a readable PEM file of certificates"
            raise TerminalError("ca_file can't be used", f"channel {name}", todo) from None

    @never_raises
    def send(self, message: Message) -> Answer:
        """Send the mail once."""
        mail = fitted(render(message), lambda rendered: self.mail(message, rendered), lambda m: len(bytes(m)), LIMIT)
        with Deadline(4 * self._entry.timeout_seconds, self._in_use) as deadline:
            try:
                with self._connected() as server:
                    refused = server.send_message(mail)
            except (OSError, smtplib.SMTPException) as error:
                return self._failed(error, deadline.expired)
        said = f"taken for {len(self._entry.to) - len(refused)} of {len(self._entry.to)} recipients"
        return self._answer(Verdict.DELIVERED, said + "".join(f"; {_reason(*why)}" for why in refused.values()))

    def close(self) -> None:
        """Nothing to let go of: each mail has a connection of its own."""

    def _in_use(self) -> socket.socket | None:
        return getattr(self.server, "sock", None)

    def _connected(self) -> smtplib.SMTP:
        entry = self._entry
        port = entry.port or _PORTS[entry.security]
        # Noted before it connects: the greeting may be what never ends.
        if entry.security == "tls":
            server: smtplib.SMTP = _noted(smtplib.SMTP_SSL, self)(
                entry.host, port, timeout=entry.timeout_seconds, context=self._context
            )
        else:
            server = _noted(smtplib.SMTP, self)(entry.host, port, timeout=entry.timeout_seconds)
        try:
            if entry.security == "starttls":
                server.starttls(context=self._context)
            if entry.username and self._password:
                server.login(entry.username, self._password)
        except BaseException:
            server.close()
            raise
        return server

    def mail(self, message: Message, rendered: Rendered) -> EmailMessage:
        """Return the mail of a message; its texts are in no header but the subject."""
        domain = parseaddr(self._entry.sender)[1].partition("@")[2]
        mail = EmailMessage(policy=SMTP)
        # The title has no line break, and the policy refuses one: no header can be smuggled in.
        mail["Subject"] = f"[Plumbline] {shortened(rendered.title, _SUBJECT)}"
        mail["From"] = self._entry.sender
        mail["To"] = ", ".join(self._entry.to)
        mail["Date"] = format_datetime(datetime.now(UTC))
        mail["Message-ID"] = f"<{message.notification_id}@{domain}>"
        # Never sent, and the same for every mail about the subject: readers thread by it.
        mail["References"] = f"<{message.subject_id}.subject@{domain}>"
        mail["Auto-Submitted"] = "auto-generated"
        foot = f"Subscription {message.subscription}, {message.kind} {message.subject_id}."
        mail.set_content("\n".join([rendered.title, "", *rendered.lines(), "", foot]))
        mail.add_alternative(_page(rendered, foot), subtype="html")
        return mail

    def _failed(self, error: Exception, expired: bool) -> Answer:
        if expired:
            return self._answer(Verdict.RETRY, f"no answer within {self._entry.timeout_seconds:g} s")
        if isinstance(error, smtplib.SMTPRecipientsRefused):
            reasons = list(error.recipients.values())
            final = all(code >= 500 for code, _ in reasons)
            said = "; ".join(dict.fromkeys(_reason(*why) for why in reasons))
            return self._answer(Verdict.REJECTED if final else Verdict.RETRY, said)
        if isinstance(error, smtplib.SMTPResponseException):
            # -1: the server hung up.
            final = error.smtp_code >= 500
            return self._answer(
                Verdict.REJECTED if final else Verdict.RETRY, _reason(error.smtp_code, error.smtp_error)
            )
        if isinstance(error, smtplib.SMTPNotSupportedError):
            return self._answer(Verdict.REJECTED, f"the server lacks what the entry asks for: {error}")
        if isinstance(error, ssl.SSLCertVerificationError):
            todo = "set ca_file to the authority that signed it, or have it renewed"
            return self._answer(Verdict.RETRY, f"certificate refused ({error.verify_message}): {todo}")
        # The library takes a wait that is over for a closed connection, and keeps the reason in its text alone.
        if isinstance(error, TimeoutError) or "timed out" in str(error):
            return self._answer(Verdict.RETRY, f"no answer within {self._entry.timeout_seconds:g} s")
        if isinstance(error, socket.gaierror):
            return self._answer(Verdict.RETRY, "unknown host")
        if isinstance(error, smtplib.SMTPServerDisconnected):
            return self._answer(Verdict.RETRY, "the server closed the connection")
        said = (getattr(error, "strerror", None) or type(error).__name__).lower()
        return self._answer(Verdict.RETRY, said)

    def _answer(self, verdict: Verdict, said: str) -> Answer:
        return answer(verdict, said, [self._password or ""])


def _noted(base: Any, channel: EmailChannel) -> Any:
    """Return a class of clients that tell the channel which of them is in use."""

    class Noted(base):
        def connect(self, *args: Any, **kwargs: Any) -> Any:
            channel.server = self
            return super().connect(*args, **kwargs)

    return Noted


def _reason(code: int, said: bytes | str) -> str:
    return f"SMTP {code}: {said.decode('utf-8', 'replace') if isinstance(said, bytes) else said}"


def _page(rendered: Rendered, foot: str) -> str:
    rows = "".join(
        f'<tr><th align="left">{markup(label)}</th><td>{markup(value)}</td></tr>' for label, value in rendered.facts
    )
    items = "".join(f"<li>{markup(item)}</li>" for item in rendered.items)
    said = "… more on the dashboard" if rendered.cut else "Open on the dashboard"
    link = f'<p><a href="{markup(rendered.link)}">{said}</a></p>' if rendered.link else ""
    more = f"<p>{markup(rendered.more)}</p>" if rendered.more and not rendered.link else ""
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><body><h3>{markup(rendered.title)}</h3>'
        f"<table>{rows}</table>{f'<ul>{items}</ul>' if items else ''}{link}{more}"
        f"<p><small>{markup(foot)}</small></p></body></html>"
    )

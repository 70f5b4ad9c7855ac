"""Against a real SMTP server: with STARTTLS, with TLS, with and without a login, and one that refuses."""

from __future__ import annotations

import asyncio
import email
import email.policy
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from hypothesis import given
from hypothesis import strategies as st

from pipelines.contracts.channels import EmailEntry
from pipelines.errors import TerminalError
from pipelines.notifications.channels import make_channel
from pipelines.notifications.channels.credentials import Credentials
from pipelines.notifications.channels.email import LIMIT, EmailChannel
from pipelines.notifications.message import Answer, Message, Verdict
from pipelines.notifications.rendering import render
from pipelines.settings import Settings
from tests.pipelines.notifications.messages import LINK, OPENED, digest, hostile, huge, message

PASSWORD = "corr3ct-horse-battery"
HEADERS = sorted(
    ["Subject", "From", "To", "Date", "Message-ID", "References", "Auto-Submitted", "MIME-Version", "Content-Type"]
)


class Mailbox:
    """Takes mail, and refuses what it is told to."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.logins: list[bytes] = []
        self.refused: dict[str, str] = {}
        self.said: str | None = None

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if self.said:
            return self.said
        self.mails.append(email.message_from_bytes(envelope.content, policy=email.policy.default))  # pyright: ignore
        self.recipients.append(list(envelope.rcpt_tos))
        return "250 taken as 4711"

    def authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append(data.login)
        return AuthResult(success=data.login == b"plumbline" and data.password == PASSWORD.encode(), handled=False)


class _Server(Controller):
    """A controller whose port the system chooses."""

    def factory(self) -> SMTP:
        return SMTP(self.handler, **self.SMTP_kwargs)

    def _trigger_server(self) -> None:
        assert isinstance(self.server, asyncio.Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@pytest.fixture
def start_server() -> Iterator[Callable[..., tuple[int, Mailbox]]]:
    """Start SMTP servers, and stop them at the end."""
    started: list[_Server] = []

    def start(tls: ssl.SSLContext | None = None, **options: Any) -> tuple[int, Mailbox]:
        mailbox = Mailbox()
        if options.pop("login", False):
            options |= {"authenticator": mailbox.authenticate}
        server = _Server(mailbox, hostname="127.0.0.1", port=0, ssl_context=tls, **options)
        server.start()
        started.append(server)
        return server.port, mailbox

    yield start
    for server in started:
        server.stop()


START = Callable[..., tuple[int, Mailbox]]


def _send(port: int, sent: Message = OPENED, **more: object) -> Answer:
    entry = EmailEntry.model_validate(
        {
            "type": "email",
            "host": "127.0.0.1",
            "port": port,
            "security": "none",
            "sender": "Plumbline <plumbline@example.com>",
            "to": ["ann@example.com", "Bob <bob@example.com>"],
            "timeout_seconds": 5.0,
            **more,
        }
    )
    return make_channel("it", entry, Settings(), environment={"PASSWORD": PASSWORD, "WRONG": "guess-guess"}).send(sent)


def _parts(mail: EmailMessage) -> tuple[str, str]:
    text, page = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None and page is not None
    return text.get_content(), page.get_content()


LOGIN = {"username": "plumbline", "password": {"env": "PASSWORD"}}


def test_a_mail_says_it_as_text_and_as_a_page(start_server: START) -> None:
    port, mailbox = start_server()
    assert _send(port) == Answer(Verdict.DELIVERED, "taken for 2 of 2 recipients")
    [mail] = mailbox.mails
    assert mailbox.recipients == [["ann@example.com", "bob@example.com"]]
    assert mail["Subject"].startswith("[Plumbline] critical · refund-desk · lookup_order fails in 31 %")
    assert mail["Message-ID"] == "<00c0ffee00c0ffee@example.com>"
    assert mail["References"] == "<8a1f00c2d4e5b697.subject@example.com>"
    assert mail["Auto-Submitted"] == "auto-generated"
    text, page = _parts(mail)
    assert "Likely cause: tool version 2.4.0, since 09:10" in text.replace("\r\n", "\n").splitlines()
    assert LINK in text
    assert f'<a href="{LINK}">Open on the dashboard</a>' in page


def test_starttls_and_a_login(start_server: START, server_context: ssl.SSLContext, ca_file: Path) -> None:
    port, mailbox = start_server(tls_context=server_context, require_starttls=True, login=True)
    answer = _send(port, security="starttls", host="localhost", ca_file=ca_file, **LOGIN)
    assert answer.verdict is Verdict.DELIVERED
    assert mailbox.logins == [b"plumbline"]
    assert len(mailbox.mails) == 1


def test_tls_from_the_first_byte(start_server: START, server_context: ssl.SSLContext, ca_file: Path) -> None:
    port, mailbox = start_server(server_context, login=True, auth_require_tls=False)
    answer = _send(port, security="tls", host="localhost", ca_file=ca_file, **LOGIN)
    assert answer.verdict is Verdict.DELIVERED
    assert mailbox.logins == [b"plumbline"]


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_of_an_unknown_authority_is_refused(
    security: str, start_server: START, server_context: ssl.SSLContext
) -> None:
    if security == "tls":
        port, mailbox = start_server(server_context)
    else:
        port, mailbox = start_server(tls_context=server_context)
    answer = _send(port, security=security, host="localhost", **LOGIN)
    assert answer.verdict is Verdict.RETRY
    assert answer.said.startswith("certificate refused (")
    assert not mailbox.mails
    assert not mailbox.logins


def test_a_server_without_starttls_gets_no_mail_in_clear_text(start_server: START) -> None:
    port, mailbox = start_server()
    answer = _send(port, security="starttls", **LOGIN)
    assert answer.verdict is Verdict.REJECTED
    assert "STARTTLS" in answer.said
    assert not mailbox.mails


def test_a_wrong_password_is_told_and_not_shown(start_server: START) -> None:
    port, mailbox = start_server(login=True, auth_require_tls=False)
    answer = _send(port, username="plumbline", password={"env": "WRONG"})
    assert answer.verdict is Verdict.REJECTED
    assert answer.said.startswith("SMTP 535")
    assert "guess-guess" not in answer.said
    assert not mailbox.mails


@pytest.mark.parametrize(
    ("said", "becomes"),
    [
        ("451 greylisted, try later", Verdict.RETRY),
        ("452 no space", Verdict.RETRY),
        ("550 no such policy", Verdict.REJECTED),
        ("552 too big", Verdict.REJECTED),
    ],
)
def test_what_the_server_says_of_a_mail(said: str, becomes: Verdict, start_server: START) -> None:
    port, mailbox = start_server()
    mailbox.said = said
    assert _send(port) == Answer(becomes, f"SMTP {said[:3]}: {said[4:]}")


def test_recipients_that_are_refused_are_told(start_server: START) -> None:
    port, mailbox = start_server()
    mailbox.refused = {"bob@example.com": "550 nobody here"}
    assert _send(port) == Answer(Verdict.DELIVERED, "taken for 1 of 2 recipients; SMTP 550: nobody here")
    mailbox.refused["ann@example.com"] = "550 nobody here"
    assert _send(port) == Answer(Verdict.REJECTED, "SMTP 550: nobody here")
    mailbox.refused["ann@example.com"] = "450 busy"
    assert _send(port).verdict is Verdict.RETRY


def test_a_server_that_is_away_is_tried_again() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        assert _send(closed.getsockname()[1]) == Answer(Verdict.RETRY, "connection refused")
    assert _send(25, host="mail.invalid") == Answer(Verdict.RETRY, "unknown host")


def test_a_server_that_says_nothing_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        answer = _send(server.getsockname()[1], timeout_seconds=0.2)
    assert answer == Answer(Verdict.RETRY, "no answer within 0.2 s")


def test_a_greeting_that_never_ends_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        done = threading.Event()

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"220 wel")
                while not done.wait(0.05):
                    try:
                        connection.sendall(b"c")
                    except OSError:
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        answer = _send(server.getsockname()[1], timeout_seconds=0.2)
        done.set()
        thread.join()
    assert answer == Answer(Verdict.RETRY, "no answer within 0.2 s")


def test_hostile_text_smuggles_in_no_header_and_no_markup(start_server: START) -> None:
    port, mailbox = start_server()
    assert _send(port, hostile()).verdict is Verdict.DELIVERED
    [mail] = mailbox.mails
    assert sorted(mail.keys()) == HEADERS
    assert mailbox.recipients == [["ann@example.com", "bob@example.com"]]
    _, page = _parts(mail)
    for live in ("<script", "<img", "javascript:alert", "https://evil", "\u202e"):
        assert live not in page


@given(st.text(max_size=300) | st.text(alphabet='=?utf-8qb_ <>@:;,\r\n"\\é\u200d', max_size=300))
def test_any_text_makes_a_mail_with_our_headers_alone(text: str) -> None:
    entry = EmailEntry(type="email", host="x", security="none", sender="a@example.com", to=("b@example.com",))
    channel = EmailChannel("it", entry, Credentials("it", {}))
    raw = bytes(channel.mail(message(headline=text, workflow=text or None), render(message(headline=text))))
    read = email.message_from_bytes(raw, policy=email.policy.default)
    assert sorted(read.keys()) == HEADERS
    assert read["To"] == "b@example.com"


@pytest.mark.parametrize("sent", [huge(), digest(500)], ids=["huge", "digest"])
def test_a_mail_over_the_limit_is_cut_with_the_link(sent: Message, start_server: START) -> None:
    port, mailbox = start_server()
    assert _send(port, sent).verdict is Verdict.DELIVERED
    [mail] = mailbox.mails
    assert len(bytes(mail)) <= LIMIT
    text, page = _parts(mail)
    assert f"… more: {LINK}" in text
    assert f'<a href="{LINK}">… more on the dashboard</a>' in page


def test_mails_about_one_subject_are_one_thread(start_server: START) -> None:
    port, mailbox = start_server()
    _send(port)
    _send(port)
    _send(port, message(notification_id="1" * 16, occasion="resolved", state="resolved"))
    ids = [mail["Message-ID"] for mail in mailbox.mails]
    assert ids[0] == ids[1] != ids[2], "a second try has the same id"
    assert len({mail["References"] for mail in mailbox.mails}) == 1


def test_a_password_is_not_sent_in_clear_text() -> None:
    with pytest.raises(TerminalError, match="clear text"):
        _send(25, host="mail.example", **LOGIN)

"""What a channel over HTTP answers, whatever the other side does: an answer, never an exception, within its time."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.contracts.channels import HttpEntry
from pipelines.errors import TerminalError
from pipelines.notifications.channels.http import Http, host_of, retry_after, verdict
from pipelines.notifications.message import Answer, Verdict
from tests.pipelines.notifications.receiver import Receiver, Reply

NOW = datetime(2026, 5, 4, 10, 30, tzinfo=UTC)
START = Callable[..., Receiver]


def _post(url: str, *, secrets: tuple[str, ...] = (), **options: object) -> Answer:
    http = Http(HttpEntry.model_validate({"timeout_seconds": 5.0, **options}), secrets, "channel it")
    try:
        return http.post(url, b"{}").answer
    finally:
        http.close()


@pytest.mark.parametrize(
    ("status", "becomes"),
    [
        *((status, Verdict.DELIVERED) for status in (200, 201, 202, 204)),
        *((status, Verdict.RETRY) for status in (408, 425, 429, 500, 502, 503, 504)),
        *((status, Verdict.REJECTED) for status in (301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 410, 413, 422)),
    ],
)
def test_each_status_has_one_verdict(status: int, becomes: Verdict, receiver: Receiver) -> None:
    receiver.replies = [Reply(status, body=b"" if status == 204 else b"what it said")]
    answer = _post(receiver.url)
    assert answer.verdict is becomes
    assert answer.said.startswith(f"HTTP {status}")
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        (" 120 ", 120.0),
        ("9" * 400, 86_400.0),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOW - timedelta(hours=1), usegmt=True), 0.0),
        (format_datetime(NOW + timedelta(days=400), usegmt=True), 86_400.0),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("²", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_read_in_seconds_and_as_a_date(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, NOW) == seconds


@given(st.text(alphabet="Wed, 21Oct206:8GMTZ+-. \t0", max_size=40) | st.text(max_size=40))
def test_no_retry_after_is_an_error(value: str) -> None:
    seconds = retry_after(value, NOW)
    assert seconds is None or 0 <= seconds <= 86_400


def test_a_receiver_that_asks_to_wait_is_heard(receiver: Receiver) -> None:
    receiver.replies = [Reply(429, {"Retry-After": "42"}, b"slow down"), Reply(503, {"Retry-After": "7"}, b"")]
    assert _post(receiver.url) == Answer(Verdict.RETRY, "HTTP 429: slow down", 42.0)
    assert _post(receiver.url) == Answer(Verdict.RETRY, "HTTP 503", 7.0)


def test_a_redirect_to_another_host_is_refused_and_not_followed(start_receiver: START) -> None:
    first, other = start_receiver(), start_receiver()
    for status in (301, 302, 307, 308):
        first.replies = [Reply(status, {"Location": f"http://localhost:{other.port}/take"})]
        answer = _post(first.url)
        assert answer.verdict is Verdict.REJECTED
        assert "redirects to localhost, which is not followed" in answer.said
    assert not other.requests


def test_a_redirect_on_the_same_host_is_refused_too(receiver: Receiver) -> None:
    receiver.replies = [Reply(308, {"Location": "/elsewhere"})]
    answer = _post(receiver.url)
    assert answer.verdict is Verdict.REJECTED
    assert "another address of the same host" in answer.said
    assert [request.path for request in receiver.requests] == ["/"]


def test_an_unreachable_host_is_tried_again() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        answer = _post(f"http://127.0.0.1:{port}/hook")
    assert answer == Answer(Verdict.RETRY, "connection refused")


def test_an_unknown_host_is_tried_again() -> None:
    # .invalid is reserved: no resolver knows a name below it (RFC 6761).
    assert _post("http://receiver.invalid/hook") == Answer(Verdict.RETRY, "unknown host")


def test_a_certificate_of_an_unknown_authority_is_refused(
    start_receiver: START, server_context: ssl.SSLContext
) -> None:
    receiver = start_receiver(server_context)
    answer = _post(f"https://localhost:{receiver.port}/")
    assert answer.verdict is Verdict.RETRY
    assert answer.said.startswith("certificate refused (")
    assert "ca_file" in answer.said
    assert not receiver.requests


def test_a_certificate_for_another_name_is_refused(authority, ca_file: Path, start_receiver: START) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("another.example").configure_cert(context)
    receiver = start_receiver(context)
    answer = _post(f"https://localhost:{receiver.port}/", ca_file=ca_file)
    assert answer.verdict is Verdict.RETRY
    assert "Hostname mismatch" in answer.said
    assert not receiver.requests


def test_an_authority_that_the_entry_names_is_believed(
    ca_file: Path, start_receiver: START, server_context: ssl.SSLContext
) -> None:
    receiver = start_receiver(server_context)
    assert _post(f"https://localhost:{receiver.port}/", ca_file=ca_file).verdict is Verdict.DELIVERED


def test_plain_http_where_tls_is_expected_is_told(receiver: Receiver) -> None:
    answer = _post(f"https://127.0.0.1:{receiver.port}/")
    assert answer.verdict is Verdict.RETRY
    assert "TLS failed" in answer.said or "closed" in answer.said


def test_a_file_of_authorities_that_is_none_is_told_at_once(tmp_path: Path) -> None:
    broken = tmp_path / "ca.pem"
    broken.write_text("no certificate")
    for path in (broken, tmp_path / "missing.pem"):
        with pytest.raises(TerminalError, match=r"ca_file can't be used \(channel it\)"):
            Http(HttpEntry(ca_file=path), (), "channel it")


def test_a_receiver_that_does_not_answer_is_given_up(receiver: Receiver) -> None:
    done = threading.Event()
    receiver.replies = [Reply(stall=done)]
    answer = _post(receiver.url, timeout_seconds=0.2)
    done.set()
    assert answer == Answer(Verdict.RETRY, "no answer within 0.2 s")


def test_a_receiver_that_sends_a_byte_now_and_then_is_given_up(receiver: Receiver) -> None:
    # 60,000 bytes at 20 a second would take 50 minutes, each of them within the time for one wait.
    done = threading.Event()
    receiver.replies = [Reply(400, body=b"x" * 60_000, drip=done)]
    answer = _post(receiver.url, timeout_seconds=0.4)
    done.set()
    assert answer.verdict is Verdict.REJECTED
    assert answer.said.startswith("HTTP 400")


def test_headers_that_never_end_are_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        done = threading.Event()

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
                while not done.wait(0.05):
                    try:
                        connection.sendall(b"a")
                    except OSError:
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        answer = _post(f"http://127.0.0.1:{server.getsockname()[1]}/", timeout_seconds=0.4)
        done.set()
        thread.join()
    assert answer.verdict is Verdict.RETRY
    assert answer.said == "no answer within 0.4 s"


def test_a_connection_that_is_hung_up_is_tried_again(receiver: Receiver) -> None:
    receiver.replies = [Reply(hang_up=True)]
    assert _post(receiver.url).verdict is Verdict.RETRY


def test_of_a_long_answer_the_beginning_is_kept(receiver: Receiver) -> None:
    receiver.replies = [Reply(400, body=b"first words\r\n\x1b[31m" + b"x " * 5_000_000)]
    answer = _post(receiver.url)
    assert len(answer.said) == 500
    assert answer.said.startswith("HTTP 400: first words [31mx x")
    assert answer.said.isprintable()


def test_what_a_packed_answer_unpacks_to_is_not_read(receiver: Receiver) -> None:
    import gzip

    receiver.replies = [Reply(400, {"Content-Encoding": "gzip"}, gzip.compress(b"x" * 50_000_000))]
    assert _post(receiver.url).verdict is Verdict.REJECTED


def test_an_answer_never_holds_a_secret(receiver: Receiver) -> None:
    said = b"key R0UTINGKEY is wrong, try sk_live_" + b"4eC39HqLyjWDarjtT1zdp7dc or mail ann@example.com"
    receiver.replies = [Reply(403, body=said)]
    answer = _post(receiver.url, secrets=("R0UTINGKEY",))
    assert answer.said == "HTTP 403: key [masked] is wrong, try [masked] or mail [masked]"


def test_no_login_is_taken_from_the_home_directory(
    receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login ann password hunter2\n")
    monkeypatch.setenv("NETRC", str(netrc))
    _post(receiver.url)
    assert "authorization" not in receiver.last.headers


def test_one_connection_is_kept_for_the_next_message(receiver: Receiver) -> None:
    http = Http(HttpEntry(), (), "channel it")
    assert [http.post(receiver.url, b"{}").answer.verdict for _ in range(3)] == [Verdict.DELIVERED] * 3
    http.close()


def test_a_secret_goes_in_clear_text_to_this_machine_alone() -> None:
    for url in ("http://127.0.0.1:1/x", "http://[::1]:1/x", "http://localhost/x", "https://example.com/x"):
        assert host_of(url, "channel it", secret=True)
    with pytest.raises(TerminalError, match="clear text"):
        host_of("http://example.com/x", "channel it", secret=True)
    assert host_of("http://example.com/x", "channel it", secret=False) == "example.com"


def test_a_location_that_is_no_address_is_refused_like_any() -> None:
    answer = verdict(302, {"Location": "http://[broken"}, "", NOW)
    assert answer.verdict is Verdict.REJECTED

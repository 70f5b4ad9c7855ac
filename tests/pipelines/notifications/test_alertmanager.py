"""Against a real Prometheus Alertmanager, which tells a receiver on loopback what it would tell people."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from pipelines.contracts.channels import AlertmanagerEntry
from pipelines.errors import TerminalError
from pipelines.notifications.channels import make_channel
from pipelines.notifications.message import Answer, Message, Verdict
from pipelines.settings import Settings
from tests.pipelines.notifications.messages import LINK, OPENED, digest, hostile, huge, message
from tests.pipelines.notifications.receiver import Receiver, Reply

PROGRAM = next(filter(None, map(shutil.which, ("prometheus-alertmanager", "alertmanager"))), None)
CONFIGURATION = """
route:
  receiver: back
  group_by: [subject_id]
  group_wait: 100ms
  group_interval: 500ms
  repeat_interval: 1h
receivers:
  - name: back
    webhook_configs:
      - url: {url}
        send_resolved: true
"""
#: How long the program may take to start, or to tell what it was told, in seconds.
PATIENCE = 30.0


class Alertmanager:
    """A running Alertmanager, and the receiver that it tells."""

    def __init__(self, url: str, told: Receiver) -> None:
        self.url, self.told = url, told

    def alerts(self, subject: str) -> list[dict[str, Any]]:
        query = urllib.parse.urlencode({"filter": f'subject_id="{subject}"'})
        with urllib.request.urlopen(f"{self.url}/api/v2/alerts?{query}", timeout=10) as answer:
            return json.load(answer)

    def wait_told(self, subject: str, status: str) -> dict[str, Any]:
        """Return the alert of the subject that it has told with this status."""

        def found() -> dict[str, Any] | None:
            for request in reversed(self.told.requests):
                for alert in request.json["alerts"]:
                    if alert["labels"]["subject_id"] == subject and alert["status"] == status:
                        return alert
            return None

        return _until(found)


def _until(look: Callable[[], Any]) -> Any:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.05)
    pytest.fail(f"not seen within {PATIENCE:g} s")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture(scope="module")
def alertmanager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alertmanager]:
    if PROGRAM is None:
        pytest.skip("no Alertmanager: install the Debian package prometheus-alertmanager")
    home = tmp_path_factory.mktemp("alertmanager")
    told, port = Receiver(), _free_port()
    (home / "alertmanager.yml").write_text(CONFIGURATION.format(url=told.url))
    command = [
        *(PROGRAM, f"--config.file={home / 'alertmanager.yml'}", f"--storage.path={home / 'data'}"),
        *(f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="),
    ]
    url = f"http://127.0.0.1:{port}"

    def ready() -> bool:
        try:
            with urllib.request.urlopen(f"{url}/-/ready", timeout=1) as answer:
                return answer.status == 200
        except OSError:
            return False

    with (home / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            _until(ready)
            yield Alertmanager(url, told)
        finally:
            process.terminate()
            process.wait(timeout=30)
            told.close()


def _send(url: str, sent: Message, environment: dict[str, str] | None = None, **more: object) -> Answer:
    entry = AlertmanagerEntry.model_validate({"type": "alertmanager", "url": url, **more})
    channel = make_channel("it", entry, Settings(), environment=environment or {})
    try:
        return channel.send(sent)
    finally:
        channel.close()


def test_an_incident_fires_and_is_resolved(alertmanager: Alertmanager) -> None:
    subject = "aaaaaaaaaaaaaaa1"
    assert _send(alertmanager.url, message(subject_id=subject)) == Answer(Verdict.DELIVERED, "HTTP 200")
    told = alertmanager.wait_told(subject, "firing")
    assert told["labels"] == {
        "alertname": "PlumblineDrift",
        "subject_id": subject,
        "severity": "critical",
        "workflow": "refund-desk",
        "family": "tool",
        "team": "payments",
        "environment": "production",
    }
    assert told["generatorURL"] == LINK
    assert told["startsAt"] == "2026-05-04T10:30:00Z"
    assert (
        told["annotations"]["summary"]
        == "critical · refund-desk · lookup_order fails in 31 % of its calls, before in 2 %"
    )
    assert "Likely cause: tool version 2.4.0" in told["annotations"]["description"]
    [held] = alertmanager.alerts(subject)
    assert held["status"]["state"] == "active"
    assert _hours(held) > 24 * 360, "it does not end by itself after five minutes"
    _send(alertmanager.url, message(subject_id=subject, occasion="resolved", state="resolved"))
    assert alertmanager.wait_told(subject, "resolved")["labels"] == told["labels"]
    assert alertmanager.alerts(subject) == []


def test_a_second_try_is_the_same_alert(alertmanager: Alertmanager) -> None:
    subject = "aaaaaaaaaaaaaaa2"
    for _ in range(3):
        _send(alertmanager.url, message(subject_id=subject))
    assert len(alertmanager.alerts(subject)) == 1


def test_a_severity_that_changes_leaves_no_alert_behind(alertmanager: Alertmanager) -> None:
    subject = "aaaaaaaaaaaaaaa3"
    for severity, occasion in (("warning", "opened"), ("critical", "changed")):
        _send(alertmanager.url, message(subject_id=subject, severity=severity, occasion=occasion))
        alertmanager.wait_told(subject, "firing")
        assert [alert["labels"]["severity"] for alert in alertmanager.alerts(subject)] == [severity]
    _send(alertmanager.url, message(subject_id=subject, severity="info", occasion="resolved", state="resolved"))
    assert alertmanager.alerts(subject) == []


def test_an_acknowledged_subject_goes_on_firing_and_says_so(alertmanager: Alertmanager) -> None:
    subject = "aaaaaaaaaaaaaaa4"
    _send(alertmanager.url, message(subject_id=subject))
    _send(alertmanager.url, message(subject_id=subject, occasion="acknowledged", state="acknowledged"))
    [held] = alertmanager.alerts(subject)
    assert held["annotations"]["state"] == "acknowledged"


@pytest.mark.parametrize(
    "sent",
    [hostile(), huge(), digest(), message(workflow=None, team=None, environment=None, family=None, link=None)],
    ids=["hostile", "huge", "digest", "bare"],
)
def test_whatever_the_text_it_is_taken(sent: Message, alertmanager: Alertmanager) -> None:
    assert _send(alertmanager.url, sent).verdict is Verdict.DELIVERED
    [held] = alertmanager.alerts(sent.subject_id)
    assert "<!here>" not in json.dumps(held)
    _send(alertmanager.url, message(subject_id=sent.subject_id, occasion="resolved", state="resolved"))
    assert alertmanager.alerts(sent.subject_id) == []


def test_labels_of_the_entry_are_put_on_every_alert(alertmanager: Alertmanager) -> None:
    subject = "aaaaaaaaaaaaaaa5"
    _send(alertmanager.url, message(subject_id=subject), labels={"region": "eu", "severity": "page"})
    [held] = alertmanager.alerts(subject)
    assert held["labels"]["region"] == "eu"
    assert held["labels"]["severity"] == "critical", "ours are not replaced"


@pytest.mark.parametrize("kind", ["test", "digest", "operation"])
def test_what_nobody_resolves_ends_by_itself(kind: str, alertmanager: Alertmanager) -> None:
    subject = f"bbbbbbbb{kind}"
    _send(alertmanager.url, message(subject_id=subject, kind=kind, severity="info", is_instant=True))
    [held] = alertmanager.alerts(subject)
    assert held["labels"]["alertname"] == f"Plumbline{kind.capitalize()}"
    assert _hours(held) < 1


def _hours(alert: dict[str, Any]) -> float:
    """Return how long an alert lasts from its last update, in hours."""
    ends, updated = (datetime.fromisoformat(alert[name]) for name in ("endsAt", "updatedAt"))
    return (ends - updated).total_seconds() / 3600


def test_of_a_huge_message_the_labels_can_still_change(alertmanager: Alertmanager) -> None:
    subject = "aaaaaaaaaaaaaaa7"
    for severity in ("warning", "critical"):
        _send(alertmanager.url, replace(huge(), subject_id=subject, severity=severity))
    assert [alert["labels"]["severity"] for alert in alertmanager.alerts(subject)] == ["critical"]


@pytest.mark.parametrize("body", [b"<html>please log in", b"{}", b"[" * 100])
def test_a_page_to_log_in_on_is_no_alertmanager(body: bytes, receiver: Receiver) -> None:
    receiver.replies = [Reply(body=body)]
    answer = _send(receiver.url, OPENED)
    assert answer.verdict is Verdict.REJECTED
    assert "no Alertmanager" in answer.said
    assert [request.method for request in receiver.requests] == ["GET"]


def test_what_it_refuses_is_told(alertmanager: Alertmanager) -> None:
    answer = _send(f"{alertmanager.url}/somewhere", OPENED)
    assert answer.verdict is Verdict.REJECTED
    assert answer.said.startswith("HTTP 404")


@pytest.mark.parametrize(
    ("login", "header"),
    [
        ({"token": {"env": "SECRET"}}, "Bearer hunter2hunter2"),
        ({"username": "ann", "password": {"env": "SECRET"}}, "Basic YW5uOmh1bnRlcjJodW50ZXIy"),
    ],
)
def test_a_login_goes_with_every_request(login: dict[str, object], header: str, receiver: Receiver) -> None:
    receiver.replies = [Reply(body=b"[]"), Reply(403, body=b"hunter2hunter2 may not")]
    answer = _send(receiver.url, OPENED, {"SECRET": "hunter2hunter2"}, **login)
    assert [request.headers["authorization"] for request in receiver.requests] == [header] * 2
    assert answer == Answer(Verdict.REJECTED, "HTTP 403: [masked] may not")
    with pytest.raises(TerminalError, match="clear text"):
        _send("http://alertmanager.example:9093", OPENED, {"SECRET": "hunter2hunter2"}, **login)


def test_an_alertmanager_that_is_away_is_tried_again() -> None:
    assert _send(f"http://127.0.0.1:{_free_port()}", OPENED) == Answer(Verdict.RETRY, "connection refused")

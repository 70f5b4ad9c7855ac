"""Everything else, through apprise: against a receiver on loopback, by its own schema ``json://``."""

from __future__ import annotations

import socket

import pytest

from pipelines.contracts.channels import AppriseEntry
from pipelines.errors import TerminalError
from pipelines.notifications.channels import make_channel
from pipelines.notifications.message import Answer, Message, Verdict
from pipelines.settings import Settings
from tests.pipelines.notifications.messages import LINK, OPENED, digest, hostile, huge, message
from tests.pipelines.notifications.receiver import Receiver, Reply


def _send(url: str, sent: Message = OPENED) -> Answer:
    entry = AppriseEntry.model_validate({"type": "apprise", "url": {"env": "URL"}})
    return make_channel("it", entry, Settings(), environment={"URL": url}).send(sent)


def _address(receiver: Receiver) -> str:
    return f"json://ann:Hunter2Hunter2@127.0.0.1:{receiver.port}/hook"


@pytest.mark.parametrize(
    ("sent", "kind"),
    [
        (OPENED, "failure"),
        (message(severity="warning"), "warning"),
        (message(severity="info"), "info"),
        (message(state="resolved", occasion="resolved"), "success"),
    ],
)
def test_a_message_arrives_with_its_kind(sent: Message, kind: str, receiver: Receiver) -> None:
    assert _send(_address(receiver), sent) == Answer(Verdict.DELIVERED, "taken by the service")
    [request] = receiver.requests
    assert request.json["type"] == kind
    assert request.json["title"].endswith(
        "critical · refund-desk · lookup_order fails in 31 % of its calls, before in 2 %"
    ) or (sent.severity != "critical")
    assert "Likely cause: tool version 2.4.0, since 09:10" in request.json["message"]
    assert LINK in request.json["message"]


def test_hostile_text_is_inert(receiver: Receiver) -> None:
    assert _send(_address(receiver), hostile()).verdict is Verdict.DELIVERED
    said = receiver.last.json["title"] + receiver.last.json["message"].replace(LINK, "")
    assert "evil" in said
    for live in ("<!here", "@everyone", "](", "://", "{{", "${", "\x1b", "\u202e"):
        assert live not in said


@pytest.mark.parametrize("sent", [huge(), digest(500)], ids=["huge", "digest"])
def test_a_message_over_the_limit_is_cut_with_the_link(sent: Message, receiver: Receiver) -> None:
    assert _send(_address(receiver), sent).verdict is Verdict.DELIVERED
    [request] = receiver.requests
    assert request.json["message"].rstrip().endswith(f"… more: {LINK}")
    assert len(request.json["message"]) < 32_768


@pytest.mark.parametrize(
    ("status", "becomes"),
    [(500, Verdict.RETRY), (429, Verdict.RETRY), (404, Verdict.REJECTED), (403, Verdict.REJECTED)],
)
def test_what_the_service_answers_is_read_from_its_log(status: int, becomes: Verdict, receiver: Receiver) -> None:
    receiver.replies = [Reply(status, body=b"no")]
    answer = _send(_address(receiver))
    assert answer.verdict is becomes
    assert f"error={status}" in answer.said
    assert "Hunter2Hunter2" not in answer.said
    assert len(receiver.requests) == 1


def test_a_redirect_is_not_followed(start_receiver) -> None:
    first, other = start_receiver(), start_receiver()
    first.replies = [Reply(307, {"Location": f"http://localhost:{other.port}/take"})]
    assert _send(_address(first)).verdict is not Verdict.DELIVERED
    assert not other.requests


def test_an_unreachable_host_is_tried_again() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        answer = _send(f"json://127.0.0.1:{closed.getsockname()[1]}/")
    assert answer.verdict is Verdict.RETRY
    assert answer.said


@pytest.mark.parametrize("url", ["pigeon://coop/SECRETSECRET", "no address SECRETSECRET", "slack://"])
def test_an_address_that_apprise_does_not_know_is_told_and_not_shown(url: str) -> None:
    with pytest.raises(TerminalError, match=r"not an address of apprise \(channel it, url\)") as raised:
        _send(url)
    assert "SECRETSECRET" not in str(raised.value)

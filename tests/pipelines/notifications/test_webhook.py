"""The webhook: what is posted, and that receivers can tell who posted it."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from pipelines.contracts.channels import WebhookEntry
from pipelines.errors import TerminalError
from pipelines.notifications.channels import make_channel
from pipelines.notifications.channels.webhook import LIMIT, signature
from pipelines.notifications.message import Answer, Verdict
from pipelines.settings import Settings
from tests.pipelines.notifications.messages import OPENED, digest, hostile, huge, message
from tests.pipelines.notifications.receiver import Receiver, Reply
from tests.pipelines.notifications.test_documents import NOTIFICATION

KEY = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OTHER = "whsec_" + base64.b64encode(bytes(range(32, 64))).decode()
ENVIRONMENT = {"HOOK_KEY": KEY, "OTHER_KEY": OTHER, "TOKEN": "t0k3n-of-the-receiver"}


def _send(receiver: Receiver, sent=OPENED, **more: object) -> Answer:
    entry = WebhookEntry.model_validate(
        {"type": "webhook", "url": f"{receiver.url}/hook", "secret": {"env": "HOOK_KEY"}, **more}
    )
    channel = make_channel("it", entry, Settings(), environment=ENVIRONMENT)
    try:
        return channel.send(sent)
    finally:
        channel.close()


@pytest.mark.parametrize(
    "sent", [OPENED, hostile(), huge(), digest(), message(kind="budget", data={}, occasion="changed")]
)
def test_the_reference_implementation_verifies_every_message(sent, receiver: Receiver) -> None:
    assert _send(receiver, sent).verdict is Verdict.DELIVERED
    body = Webhook(KEY).verify(receiver.last.body, receiver.last.headers)
    assert body["type"] == f"plumbline.{sent.kind}.{sent.occasion}"
    NOTIFICATION.validate(body["data"])
    assert receiver.last.headers["webhook-id"] == sent.notification_id
    assert len(receiver.last.body) <= LIMIT


def test_another_key_or_a_changed_body_is_not_verified(receiver: Receiver) -> None:
    _send(receiver)
    sent = receiver.last
    for key, body in ((OTHER, sent.body), (KEY, sent.body.replace(b"critical", b"info"))):
        with pytest.raises(WebhookVerificationError):
            Webhook(key).verify(body, sent.headers)


def test_while_a_key_is_changed_both_verify(receiver: Receiver) -> None:
    _send(receiver, secret={"env": "OTHER_KEY"}, previous_secret={"env": "HOOK_KEY"})
    assert Webhook(KEY).verify(receiver.last.body, receiver.last.headers)
    assert Webhook(OTHER).verify(receiver.last.body, receiver.last.headers)


def test_the_example_of_the_standard_has_its_signature() -> None:
    # The test vector of the Standard Webhooks libraries.
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_second_try_has_the_same_id_and_body(receiver: Receiver) -> None:
    receiver.replies = [Reply(503)]
    assert [_send(receiver).verdict for _ in range(2)] == [Verdict.RETRY, Verdict.DELIVERED]
    first, second = receiver.requests
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]


def test_a_token_is_sent_and_never_told(receiver: Receiver) -> None:
    receiver.replies = [Reply(401, body=b"not with t0k3n-of-the-receiver")]
    answer = _send(receiver, token={"env": "TOKEN"})
    assert receiver.last.headers["authorization"] == "Bearer t0k3n-of-the-receiver"
    assert answer == Answer(Verdict.REJECTED, "HTTP 401: not with [masked]")


def test_what_json_has_no_form_for_is_set_aside(receiver: Receiver) -> None:
    answer = _send(receiver, message(data={"x": float("nan")}))
    assert answer.verdict is Verdict.REJECTED
    assert "ValueError" in answer.said
    assert not receiver.requests


@pytest.mark.parametrize(
    "given",
    [
        "",
        "  ",
        "hunter2",
        "whsec_",
        "whsec_c2hvcnQ=",
        "whsec_not base64 at all, not at all",
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    ],
)
def test_a_secret_that_is_none_is_told_and_not_shown(given: str, receiver: Receiver) -> None:
    entry = WebhookEntry.model_validate({"type": "webhook", "url": receiver.url, "secret": {"env": "HOOK_KEY"}})
    with pytest.raises(TerminalError, match="channel it, secret") as raised:
        make_channel("it", entry, Settings(), environment={"HOOK_KEY": given})
    assert not given.strip() or given == "whsec_" or given not in str(raised.value)


def test_a_secret_may_stand_in_a_file(receiver: Receiver, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(f"{KEY}\n")
    assert _send(receiver, secret={"file": path}).verdict is Verdict.DELIVERED
    Webhook(KEY).verify(receiver.last.body, receiver.last.headers)
    path.write_text(f"{KEY}\n{KEY}\n")
    with pytest.raises(TerminalError, match="not one line"):
        _send(receiver, secret={"file": path})
    with pytest.raises(TerminalError, match=r"can't be read .* readable UTF-8 \(FileNotFoundError\)"):
        _send(receiver, secret={"file": tmp_path / "missing"})


def test_a_token_is_not_sent_in_clear_text() -> None:
    entry = {"type": "webhook", "url": "http://example.com/x", "secret": {"env": "HOOK_KEY"}, "token": {"env": "TOKEN"}}
    with pytest.raises(TerminalError, match="clear text"):
        make_channel("it", WebhookEntry.model_validate(entry), Settings(), environment=ENVIRONMENT)


def test_what_arrives_is_json_in_utf_8(receiver: Receiver) -> None:
    _send(receiver, message(headline="Größe 5 → 7"))
    assert receiver.last.headers["content-type"] == "application/json; charset=utf-8"
    assert json.loads(receiver.last.body.decode("utf-8"))["data"]["headline"] == "Größe 5 → 7"

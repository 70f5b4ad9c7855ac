"""Slack, Teams and PagerDuty: what is posted keeps to their rules, whatever the text."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from pipelines.contracts.channels import ChannelEntry
from pipelines.errors import TerminalError
from pipelines.notifications.channels import make_channel
from pipelines.notifications.channels import teams as teams_module
from pipelines.notifications.message import Answer, Message, Verdict
from pipelines.notifications.rendering import BREAK
from pipelines.settings import Settings
from tests.pipelines.notifications.messages import LINK, OPENED, digest, hostile, huge, message
from tests.pipelines.notifications.receiver import Receiver, Reply
from tests.pipelines.notifications.test_documents import validator

SCHEMAS = {
    name: validator(Path(__file__).parent / "schemas" / f"{file}.schema.json")
    for name, file in {"slack": "block_kit", "teams": "teams_message", "pagerduty": "pagerduty_event"}.items()
}
ROUTING_KEY = "R0UT1NGKEY0123456789abcdef012345"
MESSAGES = {
    "opened": OPENED,
    "hostile": hostile(),
    "huge": huge(),
    "digest": digest(),
    "long digest": digest(500),
    "bare": message(workflow=None, family=None, team=None, environment=None, details=(), link=None, data={}),
    "budget": message(kind="budget", family=None, data={}),
}


def _send(kind: str, receiver: Receiver, sent: Message) -> Answer:
    secret = ROUTING_KEY if kind == "pagerduty" else f"{receiver.url}/services/T0/B0/h00kSecret"
    entry = {
        "pagerduty": {"type": kind, "routing_key": {"env": "SECRET"}, "url": f"{receiver.url}/v2/enqueue"},
    }.get(kind, {"type": kind, "url": {"env": "SECRET"}})
    channel = make_channel(
        "it", TypeAdapter(ChannelEntry).validate_python(entry), Settings(), environment={"SECRET": secret}
    )
    try:
        return channel.send(sent)
    finally:
        channel.close()


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for each in value.values() for text in _texts(each)]
    if isinstance(value, list):
        return [text for each in value for text in _texts(each)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("kind", SCHEMAS)
@pytest.mark.parametrize("case", MESSAGES)
def test_every_message_keeps_to_the_rules(kind: str, case: str, receiver: Receiver) -> None:
    assert _send(kind, receiver, MESSAGES[case]).verdict is Verdict.DELIVERED
    SCHEMAS[kind].validate(receiver.last.json)


@pytest.mark.parametrize("kind", SCHEMAS)
def test_hostile_text_is_inert(kind: str, receiver: Receiver) -> None:
    _send(kind, receiver, hostile())
    texts = [text for text in _texts(receiver.last.json) if LINK not in text and "adaptivecards" not in text]
    together = "\n".join(texts)
    assert "evil" in together
    assert not re.search(r"<!here|<@U|<at>|@everyone|\]\(|://|\{\{|\$\{|javascript:|\u202e|\x1b|\r", together)


@pytest.mark.parametrize("kind", SCHEMAS)
@pytest.mark.parametrize("case", ["huge", "long digest"])
def test_a_message_over_the_limit_is_cut_with_the_link(kind: str, case: str, receiver: Receiver) -> None:
    _send(kind, receiver, MESSAGES[case])
    texts = _texts(receiver.last.json)
    assert any("… more" in text for text in texts)
    assert any(LINK in text for text in texts)


@pytest.mark.parametrize("kind", SCHEMAS)
def test_the_link_opens_the_subject(kind: str, receiver: Receiver) -> None:
    _send(kind, receiver, OPENED)
    sent = receiver.last.json
    found = {
        "slack": lambda: sent["blocks"][-2]["text"]["text"] == f"<{LINK}|Open on the dashboard>",
        "teams": lambda: sent["attachments"][0]["content"]["actions"][0]["url"] == LINK,
        "pagerduty": lambda: sent["links"][0]["href"] == sent["client_url"] == LINK,
    }
    assert found[kind]()


@pytest.mark.parametrize("kind", SCHEMAS)
def test_a_digest_lists_its_items(kind: str, receiver: Receiver) -> None:
    _send(kind, receiver, digest())
    texts = "\n".join(_texts(receiver.last.json))
    assert all(f"finding {number}" in texts for number in range(3))


@pytest.mark.parametrize("kind", SCHEMAS)
def test_the_secret_is_in_no_answer(kind: str, receiver: Receiver) -> None:
    said = f"no such thing: {receiver.url}/services/T0/B0/h00kSecret or {ROUTING_KEY}"
    receiver.replies = [Reply(404, body=said.encode())]
    answer = _send(kind, receiver, OPENED)
    assert answer.verdict is Verdict.REJECTED
    assert ("h00kSecret" if kind != "pagerduty" else ROUTING_KEY) not in answer.said
    assert "[masked]" in answer.said


@pytest.mark.parametrize("kind", SCHEMAS)
def test_a_receiver_that_asks_to_wait_is_heard(kind: str, receiver: Receiver) -> None:
    receiver.replies = [Reply(429, {"Retry-After": "30"}, b"rate_limited")]
    assert _send(kind, receiver, OPENED) == Answer(Verdict.RETRY, "HTTP 429: rate_limited", 30.0)


def test_slack_reads_no_marks_in_what_came_from_traces(receiver: Receiver) -> None:
    _send("slack", receiver, message(headline="*bold* <!channel> & more"))
    sent = receiver.last.json
    header, *sections, _ = sent["blocks"]
    assert header["text"]["type"] == "plain_text"
    assert header["text"]["text"].replace(BREAK, "") == "critical · refund-desk · *bold* &lt;!channel&gt; &amp; more"
    assert [block["text"]["text"] for block in sections if block.get("text", {}).get("type") == "mrkdwn"] == [
        f"<{LINK}|Open on the dashboard>"
    ]
    assert "*bold*" not in sent["text"], "the line for phones is mrkdwn: its marks are parted"


def test_slack_says_a_title_that_a_header_does_not_hold_below_it(receiver: Receiver) -> None:
    _send("slack", receiver, message(headline="word " * 40 + "end"))
    header, below, *_ = receiver.last.json["blocks"]
    assert header["text"]["text"].endswith("…")
    assert below["text"]["text"].endswith("word end")


def test_slack_says_that_a_value_was_cut_for_its_escapes(receiver: Receiver) -> None:
    _send("slack", receiver, message(details=(("Tool", "&" * 1_400),)))
    assert "… more on the dashboard" in receiver.last.json["blocks"][-2]["text"]["text"]


def test_teams_gets_less_than_it_takes(receiver: Receiver) -> None:
    for sent in MESSAGES.values():
        _send("teams", receiver, sent)
        assert len(receiver.last.body) <= teams_module.LIMIT < 28 * 1024


@pytest.mark.parametrize(
    ("said", "becomes"),
    [
        (b"1", Verdict.DELIVERED),
        (
            b"Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429",
            Verdict.RETRY,
        ),
        (
            b"Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 413",
            Verdict.REJECTED,
        ),
    ],
)
def test_what_older_connectors_say_with_200_is_read(said: bytes, becomes: Verdict, receiver: Receiver) -> None:
    receiver.replies = [Reply(200, body=said)]
    assert _send("teams", receiver, OPENED).verdict is becomes


@pytest.mark.parametrize(
    ("occasion", "state", "action"),
    [
        ("opened", "open", "trigger"),
        ("changed", "open", "trigger"),
        ("reopened", "open", "trigger"),
        ("renotified", "open", "trigger"),
        ("escalated", "open", "trigger"),
        ("acknowledged", "acknowledged", "acknowledge"),
        ("silenced", "silenced", "acknowledge"),
        ("changed", "acknowledged", "trigger"),
        ("resolved", "resolved", "resolve"),
        ("test", "open", "trigger"),
    ],
)
def test_one_alert_of_pagerduty_follows_the_subject(occasion: str, state: str, action: str, receiver: Receiver) -> None:
    _send("pagerduty", receiver, message(occasion=occasion, state=state))
    sent = receiver.last.json
    assert (sent["event_action"], sent["dedup_key"]) == (action, OPENED.subject_id)
    SCHEMAS["pagerduty"].validate(sent)


def test_pagerduty_says_what_is_wrong_with_an_event(receiver: Receiver) -> None:
    said = {
        "status": "invalid event",
        "message": "Event object is invalid",
        "errors": ["Length of 'routing_key' is incorrect"],
    }
    receiver.replies = [Reply(400, body=json.dumps(said).encode())]
    answer = _send("pagerduty", receiver, OPENED)
    assert answer.verdict is Verdict.REJECTED
    assert "Length of 'routing_key' is incorrect" in answer.said


@pytest.mark.parametrize("kind", ["slack", "teams"])
@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, "a secret is missing"),
        ("hooks.example/x", "not an address"),
        ("http://hooks.example/SECRET", "clear text"),
    ],
)
def test_an_address_that_is_none_is_told_and_not_shown(kind: str, given: str | None, said: str) -> None:
    entry = TypeAdapter(ChannelEntry).validate_python({"type": kind, "url": {"env": "SECRET"}})
    with pytest.raises(TerminalError, match=said) as raised:
        make_channel("it", entry, Settings(), environment={"SECRET": given} if given else {})
    assert "channel it, url" in str(raised.value)
    assert given is None or given not in str(raised.value)

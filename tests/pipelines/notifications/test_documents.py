"""What programs read: one schema, and JSON that fits a limit and says when it was cut."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from jsonschema.validators import validator_for

from pipelines.notifications.documents import encoded, notification
from pipelines.notifications.message import Message
from tests.pipelines.notifications.messages import HOSTILE, LINK, OPENED, digest, hostile, huge, message

CONTRACTS = Path(__file__).parents[3] / "pipelines/contracts"


def validator(path: Path) -> Draft202012Validator:
    schema = json.loads(path.read_text())
    validator_for(schema).check_schema(schema)
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


NOTIFICATION = validator(CONTRACTS / "notification.schema.json")


@pytest.mark.parametrize("one", [OPENED, hostile(), huge(), digest(), message(workflow=None, link=None, data={})])
def test_every_message_is_what_the_schema_describes(one: Message) -> None:
    NOTIFICATION.validate(json.loads(encoded(notification(one), 100_000)))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("kind", "drift budget forecast readiness audit quality operation digest test"),
        ("occasion", "opened changed reopened acknowledged silenced resolved renotified escalated digest test"),
        ("state", "open acknowledged silenced resolved"),
        ("severity", "info warning critical"),
    ],
)
def test_the_schema_knows_what_a_message_may_be(name: str, values: str) -> None:
    for value in values.split():
        NOTIFICATION.validate(notification(message(**{name: value})))
        assert f"``{value}``" in (Message.__doc__ or ""), "the schema and the edge name the same"
    assert not NOTIFICATION.is_valid(notification(message(**{name: "another"})))


def test_texts_reach_a_program_as_they_are() -> None:
    document = json.loads(encoded(notification(hostile()), 100_000))
    assert document["headline"] == HOSTILE.encode("utf-8", "replace").decode()
    assert document["cut"] is False


def test_a_document_over_the_limit_is_cut_and_says_so() -> None:
    raw = encoded({"type": "x", "data": notification(huge())}, 20_000)
    document = json.loads(raw)["data"]
    assert len(raw) <= 20_000
    assert document["cut"] is True
    assert document["headline"].endswith("…")
    assert document["link"] == LINK
    NOTIFICATION.validate(document)
    validator(CONTRACTS / "drift_alert.schema.json").validate(document["subject"])


def test_a_document_that_can_be_cut_no_further_is_an_error() -> None:
    with pytest.raises(ValueError, match="fits 100 bytes"):
        encoded(notification(OPENED), 100)

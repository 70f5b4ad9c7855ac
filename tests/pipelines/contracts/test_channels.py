"""Entries of channels: what is wrong is named with its line, and a secret is neither taken nor repeated."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from pydantic import Field

from pipelines.contracts.channels import ChannelEntry, EmailEntry, PagerDutyEntry, Secret
from pipelines.contracts.located import Entry, load
from pipelines.errors import TerminalError


class Some(Entry):
    channels: dict[str, ChannelEntry] = Field(default_factory=dict)


def _load(tmp_path: Path, *lines: str) -> Some:
    path = tmp_path / "some.yaml"
    path.write_text("channels:\n  desk: {type: console}\n  it:\n" + "".join(f"    {line}\n" for line in lines))
    return load(path, Some, "file of channels")[0]


def test_each_type_has_an_entry(tmp_path: Path) -> None:
    read = _load(
        tmp_path,
        "type: email",
        "host: mail.example.com",
        "port: 2525",
        "sender: Plumbline <plumbline@example.com>",
        "to: [ann@example.com]",
        "username: plumbline",
        "password: {file: run/secret}",
    )
    entry = read.channels["it"]
    assert isinstance(entry, EmailEntry)
    assert (entry.port, entry.security, entry.password) == (2525, "starttls", Secret(file=Path("run/secret")))
    names = ["console", "kafka", "webhook", "alertmanager", "slack", "teams", "pagerduty", "email", "apprise"]
    union = get_args(get_args(ChannelEntry)[0])
    assert [get_args(member.model_fields["type"].annotation)[0] for member in union] == names


WRONG = {
    "unknown type": (["type: pigeon"], 3, "type is one of console, kafka,"),
    "no type": (["url: https://x.example"], 3, "type is one of console, kafka,"),
    "no mapping": (["- 3"], 3, "give a mapping"),
    "missing key": (["type: webhook", "url: https://x.example"], 3, "'secret' is missing"),
    "unknown key": (["type: slack", "url: {env: A}", "chanel: x"], 6, "unknown key 'chanel'"),
    "unknown key of a secret": (["type: slack", "url: {environment: A}"], 5, "allowed: env, file"),
    "two places": (["type: slack", "url: {env: A, file: b}"], 5, "name one place"),
    "no place": (["type: slack", "url: {}"], 5, "name one place"),
    "no address": (["type: webhook", "url: ftp://x", "secret: {env: A}"], 5, "https://host/path"),
    "broken port": (["type: webhook", "url: https://x:99999", "secret: {env: A}"], 5, "https://host/path"),
    "label": (["type: alertmanager", "url: http://x", "labels: {a-b: c}"], 6, "key of labels is 'a-b'"),
    "half a login": (["type: alertmanager", "url: http://x", "username: a"], 3, "username and password"),
    "header in address": (
        ["type: email", "host: x", 'sender: "a@b.example\\r\\nBcc: c@d.example"', "to: [a@b.example]"],
        6,
        "one e-mail address",
    ),
    "two addresses in one": (
        ["type: email", "host: x", "sender: a@b.example", 'to: ["a@b.example, c@d.example"]'],
        7,
        "one e-mail address",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named_with_its_line(case: str, tmp_path: Path) -> None:
    lines, line, said = WRONG[case]
    with pytest.raises(TerminalError) as raised:
        _load(tmp_path, *lines)
    assert f"some.yaml:{line}" in str(raised.value)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    "lines",
    [
        ["type: slack", "url: https://hooks.example/HUNTER2"],
        ["type: pagerduty", "routing_key: HUNTER2"],
        ["type: webhook", "url: https://ann:HUNTER2@x.example", "secret: {env: A}"],
        ["type: email", "host: x", "sender: a@b.example", "to: [a@b.example]", "username: a", "password: HUNTER2"],
    ],
)
def test_a_secret_that_stands_in_the_file_is_refused_and_not_repeated(lines: list[str], tmp_path: Path) -> None:
    with pytest.raises(TerminalError, match="secret") as raised:
        _load(tmp_path, *lines)
    assert "HUNTER2" not in str(raised.value)


def test_an_entry_shows_where_its_secret_is_and_not_what_it_is(tmp_path: Path) -> None:
    entry = _load(tmp_path, "type: pagerduty", "routing_key: {env: PAGERDUTY_KEY}").channels["it"]
    assert isinstance(entry, PagerDutyEntry)
    assert "PAGERDUTY_KEY" in repr(entry)
    assert entry.url == "https://events.pagerduty.com/v2/enqueue"

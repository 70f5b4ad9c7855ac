"""The manual: its entries are entries, its five lines verify, and every type has its example."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import Field

from pipelines.contracts.channels import ChannelEntry, WebhookEntry
from pipelines.contracts.located import Entry, load
from pipelines.notifications.channels import make_channel
from pipelines.settings import Settings
from tests.pipelines.notifications.messages import OPENED
from tests.pipelines.notifications.receiver import Receiver
from tests.pipelines.notifications.test_webhook import ENVIRONMENT

DOCS = Path(__file__).parents[3] / "docs"
TEXT = (DOCS / "alerts.md").read_text("utf-8")


class Some(Entry):
    channels: dict[str, ChannelEntry] = Field(default_factory=dict)


def _blocks(language: str) -> list[str]:
    return re.findall(rf"(?ms)^```{language}\n(.*?)^```$", TEXT)


def test_every_type_has_an_example_that_is_an_entry(tmp_path: Path) -> None:
    found: list[str] = []
    for number, block in enumerate(each for each in _blocks("yaml") if each.startswith("channels:\n")):
        # With the keys that are commented out as well, save where they stand for another.
        path = tmp_path / f"{number}.yaml"
        path.write_text(
            re.sub(r"(?m)^    # (?=\w+: )", "    ", block).replace("\n    token: {env: ALERTMANAGER_TOKEN}", "")
        )
        found += [entry.type for entry in load(path, Some, "file of channels")[0].channels.values()]
    members = get_args(get_args(ChannelEntry)[0])
    assert sorted(found) == sorted(get_args(member.model_fields["type"].annotation)[0] for member in members)


@pytest.mark.parametrize("forged", [False, True])
def test_the_five_lines_verify_a_webhook(forged: bool, receiver: Receiver) -> None:
    entry = WebhookEntry.model_validate({"type": "webhook", "url": receiver.url, "secret": {"env": "HOOK_KEY"}})
    make_channel("it", entry, Settings(), environment=ENVIRONMENT).send(OPENED)
    [lines] = [block for block in _blocks("python") if "webhook-signature" in block]
    assert lines.count("\n") == 5
    names: dict[str, Any] = {
        "headers": receiver.last.headers,
        "body": receiver.last.body.replace(b"critical", b"info") if forged else receiver.last.body,
        "secret": ENVIRONMENT["HOOK_KEY"],
    }
    exec("import base64, hashlib, hmac, time\n" + lines, names)
    assert names["genuine"] is not forged

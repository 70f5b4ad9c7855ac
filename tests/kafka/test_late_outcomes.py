"""Outcomes on their own topic of the real Kafka: late, twice, in any order and across restarts, each counts once."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from pipelines.cli import main
from pipelines.sources.kafka import producer
from tests.pipelines.test_late_outcomes import run_of, written
from tests.pipelines.test_real_traces import rows

pytestmark = pytest.mark.kafka


def test_outcomes_count_once_and_the_latest_holds(
    kafka: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    spans, outcomes = kafka.topic(4, "spans"), kafka.topic(2, "outcomes")
    for name, value in (
        ("TOPIC", spans),
        ("OUTCOMES_TOPIC", outcomes),
        ("GROUP_ID", spans),
        ("ALERTS_TOPIC", f"{spans}.alerts"),
        ("DEAD_LETTER_TOPIC", f"{spans}.dead"),
    ):
        monkeypatch.setenv(f"PLUMBLINE_{name}", value)
    home, address = tmp_path / "home", kafka.bootstrap_servers

    def plumbline(*arguments: str) -> None:
        assert main(["--home", str(home), "--bootstrap-servers", address, *arguments]) == 0

    traces = [f"{number:032x}" for number in range(1, 41)]
    rng = random.Random(3)
    statements = [
        {"run_id": trace, "status": status, "at": f"2026-08-{30 + day}T0{day}:00:00Z"}
        for number, trace in enumerate(traces)
        for day, status in enumerate(["failure", "success"] if number % 2 else ["success", "failure"])
    ]
    messages = [json.dumps(each).encode() for each in statements] * 2
    messages += [json.dumps(statements[:30]).encode(), b"\n".join(messages[30:50]), b'{"run_id": "x"}', b"{"]
    rng.shuffle(messages)
    # Some outcomes are there before their run.
    early, late = messages[:40], messages[40:]

    def publish(values: list[bytes]) -> None:
        sender = producer(address)
        for number, value in enumerate(values):
            sender.send(outcomes, value=value, partition=number % 2)
        sender.close()

    publish(early)
    plumbline("stream", "--until-end")
    plumbline("produce", str(written(tmp_path / "spans.jsonl", *(run_of(trace, 1) for trace in traces))))
    plumbline("stream", "--until-end")
    publish(late[:60])
    plumbline("stream", "--until-end")
    publish(late[60:])
    again = written(tmp_path / "again.jsonl", *(json.dumps(each).encode() for each in statements[:10]))
    plumbline("produce", "--outcomes", str(again))
    plumbline("stream", "--until-end")
    plumbline("refresh")

    (count,) = rows(home, "SELECT count(*) AS n, count(DISTINCT outcome_id) AS ids FROM outcomes", capfd)
    assert count == {"n": len(statements), "ids": len(statements)}
    found = rows(home, "SELECT run_id, outcome, closed_by FROM runs ORDER BY run_id", capfd)
    assert found == [
        {"run_id": trace, "outcome": "success" if number % 2 else "failure", "closed_by": "root"}
        for number, trace in enumerate(traces)
    ]
    dead = rows(home, "SELECT topic, reason, detail FROM dead_letters ORDER BY detail", capfd)
    assert [(each["topic"], each["reason"]) for each in dead] == [(outcomes, "invalid_outcome")] * 2
    (offsets,) = rows(home, f"SELECT sum(next_offset) AS n FROM consumed_offsets WHERE topic = '{outcomes}'", capfd)
    assert offsets["n"] == len(messages) + 10

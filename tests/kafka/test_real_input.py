"""Real agent traces through the real Kafka, as the command line does it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer

from pipelines.broker import Broker
from pipelines.cli import main
from pipelines.settings import Settings
from pipelines.simulate import simulate
from pipelines.sources.files import records
from tests.pipelines.test_real_traces import BY_MODEL, check_tau2, rows

pytestmark = pytest.mark.kafka


def plumbline(home: Path, bootstrap: str, topic: str, *arguments: str) -> None:
    assert main(["--home", str(home), "--bootstrap-servers", bootstrap, *arguments]) == 0


@pytest.fixture
def topic(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A topic and a group of this test's own."""
    name = f"spans-{request.node.name}"[:100]
    for variable, value in (
        ("TOPIC", name),
        ("GROUP_ID", name),
        ("OUTCOMES_TOPIC", f"{name}.outcomes"),
        ("ALERTS_TOPIC", f"{name}.alerts"),
        ("DEAD_LETTER_TOPIC", f"{name}.dead"),
    ):
        monkeypatch.setenv(f"PLUMBLINE_{variable}", value)
    return name


def read_all(bootstrap: str, topic: str) -> list[Any]:
    consumer = KafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest", consumer_timeout_ms=4000)
    try:
        return list(consumer)
    finally:
        consumer.close()


@pytest.mark.slow
def test_tau2_through_kafka_costs_what_its_source_says(
    kafka: Any, topic: str, shared_data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    traces = shared_data / "tau2" / "traces.otlp.jsonl"
    expected = json.loads((shared_data / "tau2" / "expected.json").read_text())
    for _ in range(2):  # published and streamed a second time, nothing changes
        plumbline(tmp_path, kafka.bootstrap_servers, topic, "produce", str(traces))
        plumbline(tmp_path, kafka.bootstrap_servers, topic, "stream", "--until-end")
        plumbline(tmp_path, kafka.bootstrap_servers, topic, "refresh")
        check_tau2(rows(tmp_path, BY_MODEL, capfd), expected)
        (count,) = rows(tmp_path, "SELECT count(*) AS spans, count(DISTINCT run_id) AS runs FROM spans", capfd)
        assert count == {"spans": expected["spans"], "runs": expected["runs"]}
    (offsets,) = rows(tmp_path, "SELECT sum(next_offset) AS n FROM consumed_offsets", capfd)
    assert offsets["n"] == 2 * expected["runs"]  # one message per run


def test_published_bytes_are_unchanged_and_dead_letters_keep_theirs(
    kafka: Any, topic: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    lines = tmp_path / "lines.jsonl"
    lines.write_bytes(b'{"level": "info"}\n{"broken": \n')
    plumbline(tmp_path, kafka.bootstrap_servers, topic, "produce", str(lines))
    plumbline(tmp_path, kafka.bootstrap_servers, topic, "stream", "--until-end")
    values = [value for _, _, value in records(lines)]
    assert sorted(each.value for each in read_all(kafka.bootstrap_servers, topic)) == sorted(values)
    found = rows(tmp_path, "SELECT reason, topic FROM dead_letters ORDER BY reason", capfd)
    assert [row["reason"] for row in found] == ["invalid_json", "no_spans"]
    dead = read_all(kafka.bootstrap_servers, f"{topic}.dead")
    assert sorted(each.value for each in dead) == sorted(values)
    why = json.loads(dict(dead[0].headers)["plumbline-dead-letter"])
    assert why["from"].startswith(f"{topic}[")


def test_incidents_reach_the_alert_topic_as_cloud_events_once_per_state(
    kafka: Any, topic: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLUMBLINE_ALARM_BUDGET_PER_WEEK", "3000")  # makes alarms common
    simulate(tmp_path / "traffic", seed=11, days=1, workflows=2, rate=30)
    for path in sorted((tmp_path / "traffic").glob("*.binpb")):
        plumbline(tmp_path, kafka.bootstrap_servers, topic, "produce", str(path))
    for _ in range(2):
        plumbline(tmp_path, kafka.bootstrap_servers, topic, "stream", "--until-end")
    found = rows(tmp_path, "SELECT incident_id, state, signals FROM incidents", capfd)
    assert found
    events = read_all(kafka.bootstrap_servers, f"{topic}.alerts")
    names = [dict(each.headers)["ce_id"] for each in events]
    assert len(names) == len(set(names))
    last: dict[str, Any] = {}
    schema = json.loads((Path(__file__).parents[2] / "pipelines/contracts/drift_alert.schema.json").read_text())
    for event in events:
        headers = {key: value.decode() for key, value in event.headers}
        assert headers["ce_specversion"] == "1.0" and headers["ce_type"] == "plumbline.drift_alert.v1"
        data = json.loads(event.value)
        assert set(schema["required"]) <= set(data) <= set(schema["properties"])
        last[data["incident_id"]] = data
    assert {(row["incident_id"], row["signals"]) for row in found} == {(k, v["signals"]) for k, v in last.items()}


def test_settings_name_the_topic(topic: str) -> None:
    from pipelines.settings import load_settings

    assert isinstance(load_settings(), Settings)
    assert load_settings().topic == topic


def test_publishing_starts_the_homes_own_broker_where_none_is_named(tmp_path: Path, kafka: Any) -> None:
    lines = tmp_path / "lines.jsonl"
    lines.write_bytes(b'{"resourceSpans": []}\n')
    home = tmp_path / "home"
    try:
        assert main(["--home", str(home), "produce", str(lines)]) == 0
        assert Broker(home).status().state == "running"
    finally:
        Broker(home).stop()
    assert kafka.bootstrap_servers  # asked for so that a machine without Kafka skips this test

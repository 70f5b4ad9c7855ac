"""The metrics of a worker: what they count, who may read them, and what they never carry."""

from __future__ import annotations

import http.client
import math
from urllib.parse import urlsplit

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pipelines.commands.context import open_warehouse
from pipelines.errors import TerminalError
from pipelines.exposition import exposed
from pipelines.metrics import Metrics
from pipelines.notifications.notifier import Notifier
from pipelines.simulate import simulate
from pipelines.sources.files import FileSource
from pipelines.stream import Progress, Stream
from pipelines.tokens import Tokens
from tests.pipelines.test_stream import settings_for

SECRET = "0123456789abcdef0123456789abcdef"
TOKENS = Tokens.read(f"prometheus read {SECRET}", "here")


def asked(address: str, path: str | None = None, method: str = "GET", **headers: str) -> tuple[int, str]:
    """Status and text of one answer."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    connection.request(method, path or parts.path, headers=headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def samples(text: str) -> dict[str, float]:
    """Sample values by name and labels."""
    return {
        sample.name + "".join(f"[{value}]" for _, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture(scope="module")
def streamed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Progress, dict[str, float], str]:
    """Counts of a stream that has run, its metrics as scraped, and the names of its workflows."""
    home = tmp_path_factory.mktemp("metrics")
    simulate(home / "traffic", seed=11, days=0.3, workflows=2, rate=30)
    (home / "traffic" / "broken.jsonl").write_text('{"resourceSpans": [\n', encoding="utf-8")
    files = [str(path) for path in sorted((home / "traffic").glob("*.[bj]*")) if path.name != "truth.json"]
    settings, metrics = settings_for(home), Metrics()
    with open_warehouse(settings) as warehouse, exposed(metrics.registry, "127.0.0.1", 0, Tokens(())) as address:
        notifier = Notifier(settings, warehouse)
        stream = Stream(settings, FileSource(files), warehouse, notifier, lambda _: None, metrics=metrics)
        counts = stream.run(until_end=True)
        status, text = asked(address)
        stored = warehouse.query("SELECT family, count(*) AS signals FROM signals GROUP BY family").rows()
        workflows = warehouse.query("SELECT DISTINCT workflow FROM spans")["workflow"].to_list()
    assert status == 200
    found = samples(text)
    assert stored and {family: found[f"plumbline_signals_total[{family}]"] for family, _ in stored} == dict(stored)
    assert not [name for name in workflows if name in text]
    return counts, found, text


def test_the_counters_are_the_counts_of_the_stream(streamed: tuple[Progress, dict[str, float], str]) -> None:
    counts, found, _ = streamed
    for name in ("spans", "messages", "batches", "observations", "late_spans"):
        assert found[f"plumbline_{name}_total"] == getattr(counts, name)
    assert found["plumbline_redelivered_spans_total"] == counts.redelivered > 0
    assert sum(value for name, value in found.items() if name.startswith("plumbline_dead_letters_total")) == 1
    assert counts.dead_letters == 1
    for name in ("commit", "detect"):
        assert found[f"plumbline_{name}_seconds_count"] == counts.batches > 1
        assert found[f"plumbline_{name}_seconds_sum"] > 0


def test_the_gauges_tell_of_now(streamed: tuple[Progress, dict[str, float], str]) -> None:
    _, found, _ = streamed
    assert found["plumbline_outage"] == 0
    assert found["plumbline_detecting"] == 1
    assert found["plumbline_last_commit_timestamp_seconds"] > 1.7e9
    assert found["plumbline_watermark_timestamp_seconds"] > 1.7e9
    assert found["process_resident_memory_bytes"] > 1e7


def test_what_is_not_known_is_nan_and_not_zero() -> None:
    with exposed(Metrics().registry, "127.0.0.1", 0, Tokens(())) as address:
        found = samples(asked(address)[1])
    for name in ("last_commit", "watermark", "checkpoint"):
        assert math.isnan(found[f"plumbline_{name}_timestamp_seconds"])
    assert not [name for name in found if "lag" in name or "plumbline_incidents" in name]


def test_a_partition_that_is_read_by_another_worker_is_forgotten() -> None:
    metrics = Metrics()
    metrics.lag({("spans", 0): (5, 9), ("spans", 1): (7, 7)})
    metrics.lag({("spans", 1): (7, 12)})
    value = metrics.registry.get_sample_value
    assert value("plumbline_consumer_lag_messages", {"topic": "spans", "partition": "1"}) == 5
    assert value("plumbline_consumer_lag_messages", {"topic": "spans", "partition": "0"}) is None


def test_only_the_metrics_are_served_and_only_to_this_machine() -> None:
    with exposed(Metrics().registry, "127.0.0.1", 0, Tokens(())) as address:
        assert asked(address)[0] == 200
        assert asked(address, Host="localhost:1")[0] == 200
        assert asked(address, Host="rebound.example")[0] == 400
        assert asked(address, "/")[0] == 404
        assert asked(address, method="POST")[0] == 405
    with pytest.raises(OSError, match="refused"):
        asked(address)


def test_beyond_loopback_a_token_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TerminalError, match="need a token"), exposed(Metrics().registry, "0.0.0.0", 0, Tokens(())):
        pass
    # Told apart by the address asked for, so that this test listens on loopback only.
    monkeypatch.setattr("pipelines.exposition.is_loopback", lambda _: False)
    with exposed(Metrics().registry, "127.0.0.1", 0, TOKENS) as address:
        assert asked(address)[0] == 401
        assert asked(address, Authorization=f"Bearer {SECRET}x")[0] == 401
        assert asked(address, Authorization=f"Basic {SECRET}")[0] == 401
        assert asked(address, Authorization=f"Bearer {SECRET}")[0] == 200


def test_a_port_that_is_taken_is_one_line() -> None:
    registry = Metrics().registry
    with exposed(registry, "127.0.0.1", 0, Tokens(())) as address:
        port = urlsplit(address).port or 0
        with (
            pytest.raises(TerminalError, match=f"127.0.0.1:{port}") as caught,
            exposed(registry, "127.0.0.1", port, TOKENS),
        ):
            pass
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("dashboard operate", "no token"),
        (f"da/shboard operate {SECRET}", "no token"),
        (f"dashboard admin {SECRET}", "unknown role .* use one of read, operate"),
        ("dashboard operate short", "too short"),
        (f"dashboard operate {SECRET}é", "can't carry"),
        (f"a read {SECRET}\na operate {SECRET}1", "twice.*here:2"),
        (f"a read {SECRET}; b operate {SECRET}", "twice"),
    ],
)
def test_a_line_that_is_no_token_is_named_and_its_secret_is_not(text: str, words: str) -> None:
    with pytest.raises(TerminalError, match=words) as caught:
        Tokens.read(text, "here")
    assert SECRET not in str(caught.value)


def test_comments_and_empty_lines_are_no_tokens() -> None:
    tokens = Tokens.read(f"# who may ask\n\ngrafana read {SECRET}  # dashboards\n", "here")
    assert [(token.name, token.role) for token in tokens.all] == [("grafana", "read")]
    assert SECRET not in repr(tokens.all)

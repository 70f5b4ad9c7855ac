"""The stream: exactly once, the same alarms after any crash, bad input set aside with nothing good lost."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from detectors.packed import READ, VERSION
from pipelines.commands.context import open_warehouse
from pipelines.notifications.notifier import Notifier
from pipelines.settings import Settings
from pipelines.simulate import simulate
from pipelines.sources.files import FileSource
from pipelines.stream import Progress, Stream
from tests.pipelines.otlp import START_NS, as_json, as_protobuf, request, span
from warehouse import Warehouse

SPANS = "SELECT * EXCLUDE (ingested_at) FROM spans ORDER BY trace_id, span_id"
SIGNALS = "SELECT * EXCLUDE (created_at) FROM signals ORDER BY signal_id"
INCIDENTS = "SELECT * EXCLUDE (updated_at) FROM incidents ORDER BY incident_id"


CATALOG = """
tools:
  lookup_order: {effect: read}
workflows:
  refund-desk:
    models: [gpt-4.1-mini]
    drift: {rules: {loop: {calls: 2}}}
"""


class Crash(Exception):
    """Stands for the process dying."""


def settings_for(home: Path, **more: object) -> Settings:
    # A budget this wide and a catalog this narrow make alarms common, so that there is something to compare.
    catalog = home / "catalog.yaml"
    home.mkdir(parents=True, exist_ok=True)
    catalog.write_text(CATALOG)
    return Settings(home=home, catalog=catalog, batch_spans=1500, alarm_budget_per_week=3000.0, **more)  # pyright: ignore[reportArgumentType]


def run(settings: Settings, files: list[Path], report: Callable[[Progress], None] = lambda _: None) -> Progress:
    with open_warehouse(settings) as warehouse:
        source = FileSource([str(path) for path in files])
        notifier = Notifier(settings, warehouse)
        return Stream(settings, source, warehouse, notifier, report).run(until_end=True)


def stored(settings: Settings, sql: str) -> pl.DataFrame:
    with Warehouse.open(settings.warehouse, read_only=True) as warehouse:
        return warehouse.query(sql)


@pytest.fixture(scope="module")
def traffic(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    out = tmp_path_factory.mktemp("traffic")
    simulate(out, seed=11, days=1, workflows=2, rate=30)
    return sorted(out.glob("*.binpb"))


@pytest.fixture(scope="module")
def unbroken(traffic: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = settings_for(tmp_path_factory.mktemp("unbroken"))
    run(settings, traffic)
    return settings


def test_the_unbroken_run_raises_signals_at_this_budget(unbroken: Settings) -> None:
    signals = stored(unbroken, SIGNALS)
    assert len(signals.filter(pl.col("kind") != "rule")) >= 3
    assert set(signals.filter(kind="rule")["metric"]) >= {"loop", "unknown_model", "unknown_tool"}
    assert len(stored(unbroken, INCIDENTS)) >= 1


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "checkpoint_seconds"), [(1, 0.0), (2, 1e9)])
def test_a_crash_after_any_batch_loses_nothing_doubles_nothing_and_alarms_alike(
    seed: int, checkpoint_seconds: float, traffic: list[Path], unbroken: Settings, tmp_path: Path
) -> None:
    settings = settings_for(tmp_path, checkpoint_seconds=checkpoint_seconds)
    rng = random.Random(seed)
    for _ in range(2):
        die_at = rng.randint(1, 2)

        def die(progress: Progress, die_at: int = die_at) -> None:
            if progress.batches >= die_at:
                raise Crash

        with pytest.raises(Crash):
            run(settings, traffic, die)
    run(settings, traffic)
    assert_frame_equal(stored(settings, SPANS), stored(unbroken, SPANS))
    assert_frame_equal(stored(settings, SIGNALS), stored(unbroken, SIGNALS))
    assert_frame_equal(stored(settings, INCIDENTS), stored(unbroken, INCIDENTS))


def test_replaying_the_same_files_changes_nothing(traffic: list[Path], unbroken: Settings, tmp_path: Path) -> None:
    copies = []
    for path in traffic:
        copies.append(tmp_path / path.name)
        copies[-1].write_bytes(path.read_bytes())
    before = [stored(unbroken, sql) for sql in (SPANS, SIGNALS, INCIDENTS, "SELECT count(*) FROM outcomes")]
    progress = run(unbroken, copies)
    assert progress.spans == 0 and progress.redelivered > 1000
    for frame, sql in zip(before, (SPANS, SIGNALS, INCIDENTS, "SELECT count(*) FROM outcomes"), strict=True):
        assert_frame_equal(stored(unbroken, sql), frame)


@pytest.mark.slow
def test_without_a_checkpoint_the_detectors_warm_up_from_the_warehouse_to_the_same_state(
    traffic: list[Path], unbroken: Settings, tmp_path: Path
) -> None:
    settings = settings_for(tmp_path)
    run(settings, traffic)
    (settings.checkpoints / "detectors.zip").write_bytes(b"not a checkpoint")
    with open_warehouse(settings) as warehouse:
        source = FileSource([str(path) for path in traffic])
        stream = Stream(settings, source, warehouse, Notifier(settings, warehouse), lambda _: None)
        stream.run(until_end=True)
        assert stream.detection.rewarmed is not None
        assert stream.progress.signals >= 3
    assert_frame_equal(stored(settings, SIGNALS), stored(unbroken, SIGNALS))


@pytest.mark.slow
def test_a_state_of_another_version_is_said_once_and_learned_anew(
    traffic: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_for(tmp_path)
    with monkeypatch.context() as earlier:
        earlier.setattr("detectors.packed.VERSION", READ[0] - 1)
        run(settings, traffic[:1])
    told: list[str] = []
    with Warehouse.open(settings.warehouse) as warehouse:
        notifier = Notifier(settings, warehouse)
        source = FileSource([str(path) for path in traffic[:1]])
        stream = Stream(settings, source, warehouse, notifier, lambda _: None, told.append)
        stream.run(until_end=True)
    said = f"detector state of version {READ[0] - 1}, this program reads version {READ[0]} to {VERSION}"
    assert told == [f"detectors were warmed up from the warehouse: {said}"]
    assert stream.detection.observations > 0


def test_bad_input_is_set_aside_or_flagged_and_nothing_good_is_lost(tmp_path: Path) -> None:
    chat = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 5}
    good = [as_json(request(span(chat, trace_id=f"{number:032x}", parent=""))) for number in range(1, 6)]
    odd = request(
        span({**chat, "gen_ai.usage.input_tokens": -5}, trace_id="1" * 32),
        span({**chat, "gen_ai.usage.input_tokens": float("nan")}, trace_id="2" * 32),
        span(chat, trace_id="3" * 32, start_ns=1, end_ns=2),
        span(chat, trace_id="4" * 32, start_ns=4_102_444_800_000_000_000, end_ns=4_102_444_801_000_000_000),
        span(chat, trace_id="55", span_id="66"),
        span({**chat, "blob": "x" * 5_000_000}, trace_id="7" * 32),
    )
    lines = tmp_path / "lines.jsonl"
    lines.write_bytes(
        b"\n".join([good[0], good[1][:50], good[2], b'{"hello": "world"}', as_json(odd), good[3]]) + b"\n"
    )
    whole = as_protobuf(request(span(chat, trace_id="8" * 32, start_ns=START_NS)))
    records = tmp_path / "records.binpb"
    records.write_bytes(_delimited(whole) + _delimited(b"") + _delimited(b"\xff\xff") + _delimited(whole)[:-9])
    settings = settings_for(tmp_path / "home")
    progress = run(settings, [lines, records])
    assert (progress.spans, progress.dead_letters, progress.flagged) == (10, 5, 6)
    reasons = stored(settings, "SELECT reason, count(*) AS n FROM dead_letters GROUP BY reason ORDER BY reason").rows()
    assert reasons == [("empty_message", 1), ("invalid_json", 1), ("invalid_protobuf", 2), ("no_spans", 1)]
    kept = stored(settings, "SELECT payload FROM dead_letters WHERE reason = 'no_spans'")
    assert kept["payload"].to_list() == [b'{"hello": "world"}']
    flags = stored(settings, "SELECT DISTINCT unnest(quality_flags) AS flag FROM spans ORDER BY flag")["flag"].to_list()
    assert flags == ["attribute_cut", "invalid_span_id", "invalid_tokens", "invalid_trace_id", "time_out_of_range"]
    assert run(settings, [lines, records]).spans == 0
    assert stored(settings, "SELECT count(*) AS n FROM dead_letters")["n"].to_list() == [5]


def _delimited(record: bytes) -> bytes:
    length, prefix = len(record), b""
    while True:
        length, low = length >> 7, length & 0x7F
        prefix += bytes([low | (0x80 if length else 0)])
        if not length:
            return prefix + record

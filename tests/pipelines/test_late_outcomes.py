"""News that comes late: outcomes restate their cohort, spans assemble to the same runs in any order and batching."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipelines.notifications.notifier import Notifier
from pipelines.settings import Settings
from pipelines.sources.files import FileSource
from pipelines.stream import Progress, Stream
from tests.pipelines.otlp import START_NS, as_json, request, span
from warehouse import Warehouse, marts

HOUR_NS = 3_600_000_000_000
COHORT = """
SELECT runs, settled_runs, pending_runs, successes, round(cost_usd, 6) AS cost_usd, cost_per_success_usd IS NULL AS unknown
FROM cost_per_outcome_daily ORDER BY date
"""


def stream(home: Path, traces: list[Path], outcomes: list[Path], **more: Any) -> Progress:
    settings = Settings(home=home, **more)
    with Warehouse.open(settings.warehouse) as warehouse:
        source = FileSource([str(path) for path in traces], [str(path) for path in outcomes])
        notifier = Notifier(settings, warehouse)
        return Stream(settings, source, warehouse, notifier, lambda _: None).run(until_end=True)


def refreshed(home: Path, sql: str) -> pl.DataFrame:
    with Warehouse.open(Settings(home=home).warehouse) as warehouse:
        for name in marts.names():
            marts.build(warehouse, name)
        return warehouse.query(sql)


def written(path: Path, *lines: Any) -> Path:
    path.write_bytes(
        b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines) + b"\n"
    )
    return path


def run_of(trace: str, hours: int, session: str = "s") -> bytes:
    start = START_NS + hours * HOUR_NS
    call = {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4.1",
        "gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 100, "gen_ai.response.id": f"answer-{trace}",
    }  # fmt: skip
    root = {"gen_ai.operation.name": "invoke_agent", "gen_ai.workflow.name": "desk", "gen_ai.conversation.id": session}
    times: dict[str, Any] = {"start_ns": start, "end_ns": start + 1_000_000_000}
    return as_json(
        request(
            span(root, trace_id=trace, span_id="1" * 16, parent="", **times),
            span(call, trace_id=trace, span_id="2" * 16, parent="1" * 16, **times),
        )
    )


A, B, C = "a" * 32, "b" * 32, "c" * 32


@pytest.mark.slow
def test_outcomes_that_come_later_restate_their_cohort(tmp_path: Path) -> None:
    home = tmp_path / "home"
    traces = written(tmp_path / "traces.jsonl", run_of(A, 1), run_of(B, 2), run_of(C, 3, session="t"))
    assert stream(home, [traces], []).spans == 6
    assert refreshed(home, COHORT).rows() == [(3, 0, 3, 0, None, True)], "all pending"

    first = written(
        tmp_path / "first.jsonl",
        [{"run_id": A, "status": "success", "at": "2026-08-29T20:00:00Z", "source": "crm"}],
        {"session_id": "t", "status": "success", "at": "2026-08-29T21:00:00Z", "value_usd": 5},
        {"run_id": "d" * 32, "status": "success", "at": "2026-08-29T21:00:00Z"},
        {"run_id": A, "status": "lost"},
    )
    progress = stream(home, [traces], [first])
    assert (progress.spans, progress.outcomes, progress.dead_letters) == (0, 3, 1)
    assert refreshed(home, COHORT).rows() == [(3, 2, 1, 2, 0.0056, False)]
    assert refreshed(home, "SELECT run_id, reason FROM unmatched_outcomes").rows() == [("d" * 32, "no run")]

    # Days later: B failed after all, A's success was taken back; and everything is delivered once more, in another order.
    second = written(
        tmp_path / "second.jsonl",
        {"trace_id": B.upper(), "status": "failure", "at": "2026-09-02T08:00:00Z"},
        {"run_id": A, "status": "failure", "at": "2026-09-03T08:00:00Z", "source": "crm"},
        {"run_id": A, "status": "success", "at": "2026-08-29T20:00:00Z", "source": "crm"},
    )
    assert stream(home, [], [second, written(tmp_path / "again.jsonl", *first.read_bytes().splitlines())]).outcomes == 2
    assert refreshed(home, COHORT).rows() == [(3, 3, 0, 1, 0.0084, False)]
    assert stream(home, [], [first, second]).messages == 0
    assert refreshed(home, "SELECT count(*) FROM outcomes").item() == 5

    # The run that was missing comes at last.
    assert stream(home, [written(tmp_path / "more.jsonl", run_of("d" * 32, 4))], []).spans == 2
    assert refreshed(home, COHORT).rows() == [(4, 4, 0, 2, 0.0112, False)]
    assert refreshed(home, "SELECT count(*) FROM unmatched_outcomes").item() == 0


def test_an_evaluation_that_comes_later_restates_too(tmp_path: Path) -> None:
    home = tmp_path / "home"
    stream(home, [written(tmp_path / "traces.jsonl", run_of(A, 1), run_of(B, 2), run_of(C, 3))], [])

    def judged(label: str, **more: Any) -> tuple[str, dict[str, Any]]:
        return "gen_ai.evaluation.result", {
            "gen_ai.evaluation.name": "quality",
            "gen_ai.evaluation.score.label": label,
            **more,
        }

    kind = {"plumbline.kind": "evaluation"}
    at = START_NS + 30 * HOUR_NS
    times: dict[str, Any] = {"start_ns": at, "end_ns": at + 1}
    later = request(
        span(kind, trace_id=A, span_id="e" * 16, parent="1" * 16, events=[judged("pass")], **times),
        span(kind, trace_id=B, span_id="e" * 16, parent="2" * 16, events=[judged("pass")], **times),  # of one call
        span(
            kind,
            trace_id="e" * 32,
            parent="",
            events=[judged("fail", **{"gen_ai.response.id": f"answer-{C}"})],
            **times,
        ),
    )
    stream(home, [written(tmp_path / "later.jsonl", as_json(later))], [])
    found = refreshed(home, "SELECT run_id, outcome FROM runs WHERE model_calls > 0 ORDER BY run_id").rows()
    assert found == [(A, "success"), (B, None), (C, "failure")]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_real_spans_in_any_order_and_any_batches_assemble_to_the_same_runs(
    seed: int, shared_data: Path, tmp_path: Path
) -> None:
    files = sorted((shared_data / "otlp" / "live").glob("openinference-*.json"))
    tau2 = (shared_data / "tau2" / "traces.otlp.jsonl").read_bytes().splitlines()[:12]
    whole = written(tmp_path / "whole.jsonl", *tau2)
    stream(tmp_path / "a", [whole, *files], [])

    pieces: list[bytes] = []
    for line in [*tau2, *(line for path in files for line in _documents(path))]:
        for part in json.loads(line)["resourceSpans"]:
            for scope in part["scopeSpans"]:
                pieces += [
                    json.dumps({"resourceSpans": [{**part, "scopeSpans": [{**scope, "spans": [one]}]}]}).encode()
                    for one in scope["spans"]
                ]
    rng = random.Random(seed)
    rng.shuffle(pieces)
    pieces += rng.sample(pieces, 5)  # delivered twice
    shuffled = written(tmp_path / "shuffled.jsonl", *pieces)
    progress = stream(tmp_path / "b", [shuffled], [], batch_spans=rng.choice([1, 7, 60, 1000]) * 100)
    assert progress.redelivered == 5
    runs = "SELECT * FROM runs ORDER BY run_id"
    assert_frame_equal(refreshed(tmp_path / "b", runs), refreshed(tmp_path / "a", runs))


def _documents(path: Path) -> list[bytes]:
    text = path.read_bytes()
    try:
        return [json.dumps(json.loads(text)).encode()]
    except ValueError:
        return [line for line in text.splitlines() if line.strip()]

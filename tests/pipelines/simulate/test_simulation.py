import hashlib
import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipelines.contracts.otlp import trace_request_type
from pipelines.errors import TerminalError
from pipelines.simulate import DEFAULT_DRIFTS, DRIFTS, TWELVE, Truth, fleet, simulate
from pipelines.simulate.changes import KINDS

from .decoded import Span, decode, messages


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth, list[Span]]:
    """A thin week: the default drifts, about 17,000 spans."""
    out = tmp_path_factory.mktemp("week")
    truth = simulate(out, seed=11, rate=1.9)
    return out, truth, decode(out)


@pytest.fixture(scope="module")
def runs(week: tuple[Path, Truth, list[Span]]) -> dict[str, list[Span]]:
    found: dict[str, dict[str, Span]] = {}
    for span in week[2]:
        found.setdefault(span.trace_id, {})[span.span_id] = span
    return {trace: list(spans.values()) for trace, spans in found.items()}


def digest(out: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(out.iterdir())}


def root_of(spans: list[Span]) -> Span:
    (root,) = [span for span in spans if not span.parent_span_id]
    return root


def workflow_of(spans: list[Span]) -> str:
    told = root_of(spans).attributes
    return str(told.get("gen_ai.workflow.name") or told.get("gen_ai.agent.name") or told["agent.name"])


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        simulate(tmp_path / name, seed=seed, days=0.5, rate=4)
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    assert digest(tmp_path / "a") != digest(tmp_path / "c")


def test_these_very_bytes_on_every_machine(tmp_path: Path) -> None:
    simulate(tmp_path, seed=7, days=0.25, rate=3)
    found = digest(tmp_path)["traces-2026-09-05.otlp.binpb"]
    assert found == "905a2c731df98412ca261b64c549f1de0bdabc3f6616a821e2db178a2cfb7f30"


def test_a_second_simulation_replaces_the_first(tmp_path: Path) -> None:
    simulate(tmp_path, days=2, rate=1)
    truth = simulate(tmp_path, days=1, rate=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == [*truth.files, "truth.json"]


def test_truth_counts_what_the_files_hold(week: tuple[Path, Truth, list[Span]], runs: dict[str, list[Span]]) -> None:
    out, truth, spans = week
    assert truth.delivered_spans == len(spans)
    assert truth.spans == len({(span.trace_id, span.span_id) for span in spans}) < len(spans)
    assert truth.runs == len(runs)
    assert truth.runs_by_workflow == Counter(workflow_of(run) for run in runs.values())
    successes: Counter[str] = Counter()
    for run in runs.values():
        root = root_of(run)
        told = root.attributes.get("plumbline.outcome.status")
        for event in root.events:
            if event.name == "gen_ai.evaluation.result":
                told = "success" if event.attributes["gen_ai.evaluation.score.label"] == "pass" else "failure"
        successes[workflow_of(run)] += told == "success"
    assert truth.successes_by_workflow == successes
    document = json.loads((out / "truth.json").read_text(encoding="utf-8"))
    assert document == truth.document()
    assert document["files"] == sorted(path.name for path in out.glob("*.binpb"))


def test_every_span_belongs_to_one_run_with_one_root_around_it(runs: dict[str, list[Span]]) -> None:
    for run in runs.values():
        root = root_of(run)
        for span in run:
            assert span is root or span.parent_span_id == root.span_id
            assert root.start <= span.start <= span.end <= root.end
            assert all(span.start <= event.at <= span.end for event in span.events)
            assert len(span.trace_id) == 32
            assert len(span.span_id) == 16


def test_requests_are_collector_batches_that_interleave_runs(week: tuple[Path, Truth, list[Span]]) -> None:
    out, truth, _ = week
    sizes, shared = [], 0
    for name in truth.files:
        for payload in messages(out / name):
            request: Any = trace_request_type().FromString(payload)
            assert request.SerializeToString(deterministic=True) == payload  # standard protobuf, nothing unknown in it
            sizes.append(sum(len(scope.spans) for each in request.resource_spans for scope in each.scope_spans))
            shared += len(request.resource_spans) > 1
    assert max(sizes) < 113
    assert sum(size >= 88 for size in sizes) >= len(sizes) - len(truth.files)  # but for the last of a day
    assert shared > len(sizes) / 2


def test_spans_arrive_by_end_time_within_a_second(week: tuple[Path, Truth, list[Span]]) -> None:
    late, seen = 0, set()
    for span in week[2]:
        first = (span.trace_id, span.span_id) not in seen
        seen.add((span.trace_id, span.span_id))
        late += first and span.end < span.seen_before - 1_000_000_000
    assert late == 0


def test_usage_is_plausible_and_the_cache_is_inside_input(runs: dict[str, list[Span]]) -> None:
    for run in runs.values():
        total = 0
        for span in run:
            if span.attributes.get("gen_ai.operation.name") == "chat" and span.status == 0:
                told = span.attributes
                used = told.get("gen_ai.usage.input_tokens") or told["gen_ai.usage.prompt_tokens"]
                total += used
                assert 0 <= span.attributes.get("gen_ai.usage.cache_read.input_tokens", 0) <= used
        repeated = root_of(run).attributes.get("gen_ai.usage.input_tokens")
        assert repeated is None or repeated == total


def test_each_drift_shows_in_its_own_figure_from_its_injection_on(
    week: tuple[Path, Truth, list[Span]], runs: dict[str, list[Span]]
) -> None:
    assert sorted(drift.name for drift in week[1].drifts) == sorted(DEFAULT_DRIFTS)
    assert len({drift.workflow for drift in week[1].drifts}) == len(DEFAULT_DRIFTS)
    for drift in week[1].drifts:
        assert 3.5 <= (drift.injected_at / 1e6 - week[1].started_at.timestamp()) / 86_400 <= 5.5
        before: list[list[Span]] = []
        after: list[list[Span]] = []
        for run in runs.values():
            if workflow_of(run) == drift.workflow:
                (after if root_of(run).start >= drift.injected_at * 1000 else before).append(run)
        low, high = FIGURES[drift.name](before), FIGURES[drift.name](after)
        expected_low, expected_high, slack = EXPECTED[drift.name]
        assert expected_low - slack <= low <= expected_low + slack, drift.name
        assert expected_high - 2.5 * slack <= high <= expected_high + 2.5 * slack, drift.name
        release = {root_of(run).resource["plumbline.release"] for run in after}
        assert (release == {"2026.9.3"}) == bool(drift.cause)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _new_source(runs: list[list[Span]]) -> float:
    read = [
        str(value)
        for run in runs
        for span in run
        for key, value in span.attributes.items()
        if key.startswith("retrieval.documents.")
    ]
    return read.count("claims/community-forum") / len(read)


def _steps(runs: list[list[Span]]) -> float:
    return _mean([len(run) - 1.0 for run in runs])


def _tool_errors(runs: list[list[Span]]) -> float:
    return _mean(
        [span.status / 2 for run in runs for span in run if span.attributes.get("gen_ai.tool.name") == "lookup_order"]
    )


def _cached(runs: list[list[Span]]) -> float:
    calls = [
        span.attributes for run in runs for span in run if "gen_ai.usage.cache_read.input_tokens" in span.attributes
    ]
    return sum(call["gen_ai.usage.cache_read.input_tokens"] for call in calls) / sum(
        call["gen_ai.usage.input_tokens"] for call in calls
    )


def _denied(runs: list[list[Span]]) -> float:
    key = "plumbline.policy.decision.action"
    return _mean(
        [
            event.attributes[key] == "deny"
            for run in runs
            for span in run
            for event in span.events
            if key in event.attributes
        ]
    )


FIGURES: dict[str, Callable[[list[list[Span]]], float]] = {
    "data": _new_source,
    "behavior": _steps,
    "tool": _tool_errors,
    "cost": _cached,
    "policy": _denied,
}
EXPECTED = {  # before, after, slack
    "data": (0.0, 0.26, 0.03),
    "behavior": (8.2, 12.3, 0.6),
    "tool": (0.022, 0.16, 0.02),
    "cost": (0.66, 0.05, 0.05),
    "policy": (0.03, 0.16, 0.015),
}


def test_without_drift_nothing_is_injected_and_no_third_release_appears(tmp_path: Path) -> None:
    truth = simulate(tmp_path, seed=5, drifts=(), days=1, rate=3)
    assert truth.drifts == ()
    releases = {span.resource["plumbline.release"] for span in decode(tmp_path)}
    assert releases == {"2026.9.1", "2026.9.2"}  # the harmless release is there all the same


def test_leaving_a_drift_out_moves_no_other(tmp_path: Path) -> None:
    whole = {drift.name: drift for drift in simulate(tmp_path, seed=5, rate=0.1).drifts}
    (alone,) = simulate(tmp_path, seed=5, rate=0.1, drifts=["tool"]).drifts
    assert alone == whole["tool"]


def test_volume_follows_rate_days_and_workflows(tmp_path: Path) -> None:
    small = simulate(tmp_path, rate=2, days=7, workflows=6)
    assert small.runs == pytest.approx(2 * 24 * 7 * 6, rel=0.1)
    wide = simulate(tmp_path, rate=1, days=7, workflows=14)
    assert wide.runs == pytest.approx(24 * 7 * 14, rel=0.1)
    assert {"refund-desk-2", "claims-triage-3"} <= set(wide.workflows)
    assert {drift.workflow for drift in wide.drifts} == {drift.workflow for drift in small.drifts}
    names = {span.resource["service.name"] for span in decode(tmp_path)}
    assert len(names) == 14


def test_a_fleet_too_small_for_a_drift_leaves_it_out_or_says_so(tmp_path: Path) -> None:
    assert {drift.name for drift in simulate(tmp_path, workflows=2, days=0.2, rate=1).drifts} == {"data", "tool"}
    with pytest.raises(TerminalError, match="'cost' needs a workflow that a fleet of 2 lacks"):
        simulate(tmp_path, workflows=2, drifts=["cost"])


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"drifts": ["weather"]}, "no such drift 'weather' (--drift): use one of data, behavior, tool, cost, policy"),
        ({"days": 0}, "days is 0 (--days): give at least"),
        ({"rate": float("nan")}, "rate is nan (--rate): give at least"),
        ({"workflows": 0}, "workflows is 0 (--workflows): give at least 1"),
        ({"seed": -1}, "seed is -1 (--seed): give at least 0"),
    ],
)
def test_figures_out_of_range_are_refused_in_one_line(tmp_path: Path, arguments: dict, expected: str) -> None:
    with pytest.raises(TerminalError) as caught:
        simulate(tmp_path, **arguments)
    assert expected in str(caught.value)


def test_a_place_that_cannot_hold_files_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(TerminalError, match=r"cannot write there .*taken"):
        simulate(tmp_path / "taken")


def test_slices_are_cut_by_volume_and_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.simulate.simulation.SLICE_SPANS", 500)
    told: list[tuple[int, int]] = []
    truth = simulate(tmp_path, days=1, rate=3, progress=lambda done, total: told.append((done, total)))
    assert told == [(n + 1, len(told)) for n in range(len(told))]
    assert len(told) > 4
    spans = decode(tmp_path)
    assert len({(span.trace_id, span.span_id) for span in spans}) == truth.spans  # runs across a cut are whole
    roots = {span.trace_id for span in spans if not span.parent_span_id}
    assert roots == {span.trace_id for span in spans}


def test_start_is_kept_and_files_are_named_by_day(tmp_path: Path) -> None:
    truth = simulate(tmp_path, days=2, rate=0.5, start=datetime(2026, 2, 28))  # taken as UTC
    assert truth.started_at == datetime(2026, 2, 28, tzinfo=UTC)
    assert truth.files == ("traces-2026-02-28.otlp.binpb", "traces-2026-03-01.otlp.binpb")
    first = min(span.start for span in decode(tmp_path))
    assert first >= truth.started_at.timestamp() * 1e9


def test_every_name_has_its_change_and_some_workflow_to_happen_on() -> None:
    assert sorted(KINDS) == sorted(DRIFTS)
    assert set(TWELVE) < set(DRIFTS)
    assert {name for member in fleet(6) for name in member.kind.drifts} == set(DRIFTS)


@pytest.mark.parametrize("name", DRIFTS)
def test_asked_for_alone_a_drift_keeps_its_time_and_strength_of_the_whole(name: str, tmp_path: Path) -> None:
    whole = {drift.name: drift for drift in simulate(tmp_path, seed=5, rate=0.05, workflows=18, drifts=DRIFTS).drifts}
    assert len({drift.workflow for drift in whole.values()}) == len(DRIFTS)
    (alone,) = simulate(tmp_path, seed=5, rate=0.05, drifts=[name]).drifts
    assert (alone.injected_at, alone.strength) == (whole[name].injected_at, whole[name].strength)
    assert alone.workflow.split("-")[:2] == whole[name].workflow.split("-")[:2]


def test_all_is_the_twelve_and_truth_says_what_should_find_each(tmp_path: Path) -> None:
    simulate(tmp_path, rate=0.05, workflows=12, drifts=["all"])
    told = {drift["name"]: drift for drift in json.loads((tmp_path / "truth.json").read_text())["drifts"]}
    assert sorted(told) == sorted(TWELVE)
    for drift in told.values():
        assert drift["family"] in {"data", "behavior", "tool", "cost", "policy"}
        assert drift["expected_metrics"] and drift["unit"] and drift["description"]
        assert drift["after"] > drift["before"]
    with pytest.raises(TerminalError, match="ask for 12 or more"):
        simulate(tmp_path, workflows=6, drifts=["all"])


def test_with_a_season_prompts_are_longer_by_day_than_by_night_and_otherwise_not(tmp_path: Path) -> None:
    def ratio(season: bool) -> float:
        simulate(tmp_path, days=3, rate=8, workflows=1, drifts=(), season=season, start=datetime(2026, 9, 7))
        sizes: dict[bool, list[float]] = {True: [], False: []}
        for span in decode(tmp_path):
            hour = datetime.fromtimestamp(span.start / 1e9, UTC).hour
            if span.attributes.get("gen_ai.operation.name") == "chat" and (11 <= hour < 17 or hour >= 23 or hour < 5):
                sizes[11 <= hour < 17].append(span.attributes.get("gen_ai.usage.input_tokens", 0))
        return _mean(sizes[True]) / _mean(sizes[False])

    assert 0.9 < ratio(season=False) < 1.1
    assert ratio(season=True) > 1.25

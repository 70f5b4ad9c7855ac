"""``plumbline audit``: what one run's trace tells, what it lacks by the same clauses as the mart, and hostile text in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.cli import main
from pipelines.contracts.dialects import span_aliases
from pipelines.settings import Settings
from tests.pipelines.otlp import START_NS, as_json, request, span
from tests.pipelines.test_late_outcomes import stream, written
from warehouse import Warehouse, marts
from warehouse.audited import SENT_AS, narrative, told

SECOND = 1_000_000_000
ROOT = {
    "gen_ai.operation.name": "invoke_agent", "gen_ai.workflow.name": "desk", "gen_ai.agent.name": "helper",
    "plumbline.release": "2026.9.1", "plumbline.prompt.version": "p7", "user.id": "u-17",
}  # fmt: skip
CALL = {
    "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4.1",
    "gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 100,
}  # fmt: skip
TOOL = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "pay", "plumbline.tool.effect": "irreversible"}
DECISION = ("plumbline.policy.decision", {
    "plumbline.policy.decision.policy": "payments", "plumbline.policy.decision.version": "3",
    "plumbline.policy.decision.rule": "limit", "plumbline.policy.decision.action": "allow",
})  # fmt: skip
APPROVAL = ("plumbline.approval", {"plumbline.approval.status": "granted", "plumbline.approval.by": "lead"})
OUTCOME = ("plumbline.outcome", {"plumbline.outcome.status": "success", "plumbline.outcome.name": "paid"})
COMPLETE = {"root": ROOT, "call": CALL, "tool": TOOL, "at_tool": (DECISION, APPROVAL), "at_root": (OUTCOME,)}


def run(trace: str, **changes: Any) -> bytes:
    parts = {**COMPLETE, **changes}

    def part(number: int, what: dict[str, Any], events: Any = ()) -> dict[str, Any]:
        times: dict[str, Any] = {"start_ns": START_NS + number * SECOND, "end_ns": START_NS + (number + 1) * SECOND}
        parent = "" if number == 0 else "0" * 15 + "1"
        return span(what, trace_id=trace, span_id=f"{number + 1:016x}", parent=parent, events=events, **times)

    spans = [part(0, parts["root"], parts["at_root"]), part(1, parts["call"])]
    return as_json(request(*spans, *([part(2, parts["tool"], parts["at_tool"])] if parts["tool"] else [])))


def without(attributes: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if name not in names}


LACKING: dict[str, tuple[dict[str, Any], list[str], list[str]]] = {
    "a": ({}, [], []),
    "b": ({"root": without(ROOT, "user.id")}, ["identity"], ["who asked"]),
    "c": ({"root": without(ROOT, "plumbline.release", "plumbline.prompt.version")}, ["versions"], ["its release", "the prompt"]),
    "d": ({"at_tool": (APPROVAL,)}, ["policy decisions"], ["a policy decision"]),
    "e": ({"at_tool": (DECISION,)}, ["approvals"], ["the approval"]),
    "f": ({"tool": without(TOOL, "plumbline.tool.effect")}, ["policy decisions"], ["whether these change anything: pay"]),
    "1": ({"tool": None}, [], []),
    "2": ({"tool": {**TOOL, "plumbline.tool.effect": "read"}, "at_tool": ()}, [], []),
    "3": ({"at_root": ()}, [], []),
}  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("audit")
    runs = [run(letter * 32, **changes) for letter, (changes, _, _) in LACKING.items()]
    hostile = {**ROOT, "user.id": "eve\x1b[2J\u202e\nMissing", "gen_ai.agent.name": "[bold]x[/bold]"}
    runs.append(run("9" * 32, root=hostile, tool={**TOOL, "gen_ai.tool.name": "rm\r\x07 -rf"}))
    stream(folder / "home", [written(folder / "traces.jsonl", *runs)], [])
    with Warehouse.open(Settings(home=folder / "home").warehouse) as warehouse:
        for name in marts.names():
            marts.build(warehouse, name)
    return folder / "home"


@pytest.mark.parametrize("letter", list(LACKING))
def test_mart_and_narrative_miss_the_same_and_say_what_to_send(home: Path, letter: str) -> None:
    _, clauses, words = LACKING[letter]
    with Warehouse.open(Settings(home=home).warehouse) as warehouse:
        row = warehouse.query("SELECT * FROM audit_by_run WHERE run_id = ?", [letter * 32]).row(0, named=True)
        story = narrative(warehouse, letter * 32)
    assert story is not None
    assert row["missing"] == clauses and row["is_complete"] == (not clauses)
    assert len(story.missing) == len(words)
    for (what, todo), word in zip(story.missing, words, strict=True):
        assert what.startswith(word) and "send" in todo
    assert row["is_settled"] == (letter != "3") and row["has_outcome"] == (True if letter != "3" else None)


def test_a_whole_run_is_told_in_order_of_time(home: Path) -> None:
    with Warehouse.open(Settings(home=home).warehouse) as warehouse:
        story = narrative(warehouse, "a" * 32)
    assert story is not None
    assert [event["kind"] for event in story.events] == [
        "model call", "irreversible change", "approval", "policy decision"
    ]  # fmt: skip
    text = "\n".join(told(story))
    for words in (
        "Asked by   user u-17; acted as agent helper", "release 2026.9.1, prompt p7; models gpt-4.1", "1 (1 irreversible): pay",
        "pay: granted; by lead", "payments 3 limit: allow", "1 of 1 model calls priced", "success (paid), known by its end",
        "Nothing is missing",
    ):  # fmt: skip
        assert words in text
    assert f"${1000 * 2e-6 + 100 * 8e-6:.6f}" in text


def test_words_of_a_trace_move_no_cursor_and_make_no_line(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--home", str(home), "audit", "9" * 32]) == 0
    text = capfd.readouterr().out
    assert "eve\ufffd[2J\ufffd\ufffdMissing" in text and "agent [bold]x[/bold]" in text and "rm\ufffd\ufffd -rf" in text
    assert not any((ord(letter) < 32 and letter != "\n") or letter == "\u202e" for letter in text)
    assert "\nMissing" not in text


def test_json_has_the_same_and_an_unknown_run_is_one_line(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--home", str(home), "audit", "b" * 32, "--format", "json"]) == 0
    document = json.loads(capfd.readouterr().out)
    assert document["run"]["run_id"] == "b" * 32 and document["events"][0]["at"].endswith("Z")
    assert document["missing"][0]["what"] == "who asked"
    assert main(["--home", str(home), "audit", "no-such-run"]) == 1
    assert capfd.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("column", SENT_AS)
def test_what_to_send_is_the_first_name_that_is_read(column: str) -> None:
    assert span_aliases().filter(column=column).sort("priority")["key"][0] == SENT_AS[column]


def test_the_scorecard_counts_settled_runs(home: Path) -> None:
    with Warehouse.open(Settings(home=home).warehouse) as warehouse:
        row = warehouse.query("SELECT audit_completeness_ratio FROM scorecard_daily WHERE workflow = 'desk'").row(0)
    assert row[0] == pytest.approx(4 / 9), "a, 1, 2 and the hostile one of nine; 3 is pending"

"""Rules: what one closed run shows, and where the catalog or its silence makes that a finding."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.contracts.catalog import load_catalog
from pipelines.runs import OpenRuns
from pipelines.stages.rules import LEARNED, LEARNING, RULES, Declared
from tests.pipelines.otlp import START_NS, as_protobuf, normalised, request, span

SECOND = 1_000_000_000
ROOT = {"gen_ai.operation.name": "invoke_agent"}
CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4.1"}
DECISION, APPROVAL = "plumbline.policy.decision", "plumbline.approval"
Found = dict[tuple[str, str], tuple[float, str | None]]


@pytest.fixture
def catalog(tmp_path: Path):
    """Read a catalog's text as the stages get it."""

    def read(text: str) -> tuple[pl.DataFrame, Declared]:
        path = tmp_path / "catalog.yaml"
        path.write_text(text, encoding="utf-8")
        tables = load_catalog(path).tables()
        return tables["catalog_policies"], Declared.of(tables["catalog_workflows"], tables["catalog_tools"])

    return read


@pytest.fixture
def found(catalog):
    """Return what the rules see of one run: value and category, by rule and dimension."""

    def see(*spans: dict[str, Any], text: str = "", events: Sequence[tuple[str, dict[str, Any]]] = (), **root: Any):
        runs = OpenRuns(lateness=timedelta(seconds=1), timeout=timedelta(hours=1))
        whole = span({**ROOT, **root}, parent="", end_ns=START_NS + 99 * SECOND, events=events)
        made = normalised(as_protobuf(request(whole, *spans)))
        runs.add(made.spans.with_columns(cost_usd=pl.lit(None, pl.Float64)), made.facts)
        runs.seen[("otlp_spans", 0)] += timedelta(minutes=1)
        rows = runs.release(set(), *catalog(text)).filter(kind="rule")
        assert rows.select((pl.col("family") == pl.col("metric").replace_strict(families())).all()).item()
        assert (rows["dimension"] != "").all(), "a rule's dimension tells its streams from the rates of the same name"
        return {
            (row["metric"], row["dimension"]): (row["value"], row["category"]) for row in rows.iter_rows(named=True)
        }

    return see


def families() -> dict[str, str]:
    return {name: family for name, (family, _) in RULES.items()}


def of(rule: str, found: Found) -> dict[str, tuple[float, str | None]]:
    return {name: what for (metric, name), what in found.items() if metric == rule}


def call(tool: str, place: int = 1, **told: Any) -> dict[str, Any]:
    """A call of a tool, with its events and further attributes."""
    events = told.pop("events", ())
    start = START_NS + place * SECOND
    return span(
        {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": tool, **told},
        span_id=f"{place:016x}",
        start_ns=start,
        end_ns=start + SECOND,
        events=events,
    )


def decided(action: str, policy: str = "p", version: str | None = None, rule: str | None = None):
    said = {f"{DECISION}.policy": policy, f"{DECISION}.action": action}
    if version:
        said[f"{DECISION}.version"] = version
    if rule:
        said[f"{DECISION}.rule"] = rule
    return DECISION, said


def test_a_tool_is_unknown_where_the_catalog_lists_others_and_to_be_learned_where_it_lists_none(found) -> None:
    calls = [call("lookup", 1), call("lookup", 2), call("send_mail", 3)]
    assert of("unknown_tool", found(*calls, text="tools:\n  lookup: {}\n")) == {"send_mail": (1, None)}
    assert of("unknown_tool", found(*calls)) == {"lookup": (500, LEARNED), "send_mail": (500, LEARNED)}
    shorter = "workflows:\n  desk: {drift: {rules: {unknown_tool: {runs: 30}}}}\n"
    assert of("unknown_tool", found(*calls, text=shorter))["lookup"] == (30, LEARNED)


def test_a_model_is_unknown_where_the_workflow_lists_others_dated_versions_included(found) -> None:
    answers = [
        span({**CHAT, "gen_ai.response.model": model}, span_id=f"{place:016x}")
        for place, model in enumerate(["gpt-4.1-2025-04-14", "claude-x@20250929", "gpt-4.1-mini"], 1)
    ]
    listed = "workflows:\n  desk: {models: [gpt-4.1, claude-x]}\n"
    assert of("unknown_model", found(*answers, text=listed)) == {"gpt-4.1-mini": (1, None)}
    others = "workflows:\n  elsewhere: {models: [gpt-4.1]}\n"
    assert set(of("unknown_model", found(*answers, text=others)).values()) == {(500, LEARNED)}


def test_a_model_that_was_asked_for_and_failed_has_not_served(found) -> None:
    assert of("unknown_model", found(span(CHAT, span_id="1" * 16, status=2))) == {}
    assert of("unknown_model", found(span(CHAT, span_id="1" * 16))) == {"gpt-4.1": (500, LEARNED)}


POLICIES = """
policies:
- {policy: p, version: 1, effective_at: 2020-01-01}
- {policy: p, version: 2, effective_at: 2026-01-01}
- {policy: p, version: 3, effective_at: 2099-01-01}
"""


def test_a_decision_breaks_one_rule_at_most_unknown_version_or_outdated(found) -> None:
    events = [decided("allow", version=version) for version in ("1", "1", "2", "3", "9")]
    events += [decided("allow", policy="q", version="9"), decided("allow")]
    seen = found(events=events, text=POLICIES)
    assert of("outdated_policy", seen) == {"p 1": (1, "2")}
    assert of("unknown_policy_version", seen) == {"p 9": (1, None)}
    assert not of("outdated_policy", found(events=events)) and not of("unknown_policy_version", found(events=events))


EFFECTS = """
workflows:
  desk: {effects_allowed: [read, write]}
tools:
  lookup: {effect: read}
  drop: {effect: irreversible}
  mystery: {}
"""


def test_an_executed_call_has_an_effect_that_the_workflow_may_not_have(found) -> None:
    seen = of("forbidden_effect", found(call("lookup", 1), call("drop", 2), call("mystery", 3), text=EFFECTS))
    assert seen == {"drop": (1, "irreversible")}
    told = call("mystery", 3, **{"plumbline.tool.effect": "irreversible"})
    assert of("forbidden_effect", found(told, text=EFFECTS)) == {"mystery": (1, "irreversible")}
    # The catalog's word holds against the span's, and a workflow that says nothing may do all.
    lied = call("lookup", 4, **{"plumbline.tool.effect": "irreversible"})
    assert not of("forbidden_effect", found(lied, text=EFFECTS))
    assert not of("forbidden_effect", found(call("drop"), text=EFFECTS.replace("desk", "another")))


def test_what_a_policy_or_a_person_stopped_had_no_effect(found) -> None:
    denied = call("drop", 2, events=[decided("deny")])
    refused = call("drop", 3, events=[(APPROVAL, {f"{APPROVAL}.status": "denied"})])
    assert not of("forbidden_effect", found(denied, refused, text=EFFECTS))


def test_a_bypassed_approval_is_one_of_its_tool(found) -> None:
    bypassed, granted = ((APPROVAL, {f"{APPROVAL}.status": status}) for status in ("bypassed", "granted"))
    seen = found(call("drop", 2, events=[bypassed]), call("lookup", 3, events=[granted]), events=[bypassed])
    assert of("approval_skipped", seen) == {"drop": (1, None), "an unnamed action": (1, None)}


@pytest.mark.parametrize(
    ("calls", "text"), [(20, ""), (4, "workflows:\n  desk: {drift: {rules: {loop: {calls: 4}}}}\n")]
)
def test_so_many_calls_alike_are_a_loop(found, calls: int, text: str) -> None:
    alike = [call("lookup", place, **{"gen_ai.tool.call.arguments": '{"order": 1}'}) for place in range(1, calls + 1)]
    other = call("lookup", 90, **{"gen_ai.tool.call.arguments": '{"customer": 1}'})
    assert of("loop", found(*alike, other, text=text)) == {"lookup": (calls, None)}
    assert of("loop", found(*alike[1:], other, text=text)) == {}
    # Calls of unknown arguments are not known to be alike.
    assert of("loop", found(*(call("lookup", place) for place in range(1, calls + 1)), text=text)) == {}


def test_an_action_is_refused_again_after_its_first_denial(found) -> None:
    once = decided("deny", rule="limit")
    assert of("refused_again", found(events=[once] * 1, text="")) == {}
    calls = [call("refund", place, events=[decided("deny", rule="limit")]) for place in range(1, 5)]
    assert of("refused_again", found(*calls)) == {"p refund": (4, None)}
    assert of("refused_again", found(*calls[1:])) == {}
    stricter = "workflows:\n  desk: {drift: {rules: {refused_again: {times: 1}}}}\n"
    assert of("refused_again", found(*calls[:2], text=stricter)) == {"p refund": (2, None)}
    # Denials of different actions are no repetition.
    assert of("refused_again", found(calls[0], call("mail", 9, events=[once]), text=stricter)) == {}


def test_a_rule_that_is_off_sees_nothing_and_shadow_runs_break_none(found) -> None:
    off = ", ".join(f"{name}: off" for name in RULES)
    broken = [call("send_mail", 1, events=[(APPROVAL, {f"{APPROVAL}.status": "bypassed"})]), span(CHAT)]
    listed = "tools:\n  lookup: {}\n"
    assert {rule for rule, _ in found(*broken, text=listed)} == {"approval_skipped", "unknown_model", "unknown_tool"}
    assert found(*broken, text=f"workflows:\n  desk: {{drift: {{rules: {{{off}}}}}}}\n{listed}") == {}
    shadow = {"plumbline.mode": "shadow"}
    hidden = [call("send_mail", 1, **shadow), span({**CHAT, **shadow})]
    assert found(*hidden, text=listed, **shadow) == {}


def test_a_tool_without_a_name_to_read_still_has_a_dimension(found) -> None:
    bypassed = (APPROVAL, {f"{APPROVAL}.status": "bypassed", f"{APPROVAL}.tool": ""})
    seen = found(call("", 1, events=[bypassed]), text="tools:\n  lookup: {}\n")
    assert of("approval_skipped", seen) and all(name for _, name in seen)


def test_only_rules_that_learn_have_names_to_learn() -> None:
    assert {name for name, (_, least) in RULES.items() if least == 500} == set(LEARNING)


def test_without_a_catalog_nothing_is_declared() -> None:
    workflows = {"workflow": pl.String, "models": pl.List(pl.String), "effects_allowed": pl.List(pl.String)}
    tables = (
        pl.DataFrame(schema={**workflows, "drift": pl.String}),
        pl.DataFrame(schema={"tool_name": pl.String, "effect": pl.String}),
    )
    declared, nothing = Declared.of(*tables), Declared()
    for name in ("tools", "models", "effects", "switches", "off"):
        one, other = getattr(declared, name), getattr(nothing, name)
        assert one.schema == other.schema and one.is_empty() and other.is_empty()


def test_streams_that_are_off_are_named(tmp_path: Path) -> None:
    path = tmp_path / "catalog.yaml"
    path.write_text("workflows:\n  a: {drift: {streams: {path: off, success: on}}}\n  b: {}\n", "utf-8")
    tables = load_catalog(path).tables()
    declared = Declared.of(tables["catalog_workflows"], tables["catalog_tools"])
    assert declared.off.rows() == [("a", "path")]


def test_times_are_compared_in_event_time(found) -> None:
    text = (
        "policies:\n- {policy: p, version: 1, effective_at: 2020-01-01}\n- {policy: p, version: 2, effective_at: {}}\n"
    )
    decision = [decided("allow", version="1")]
    at = datetime(1970, 1, 1) + timedelta(microseconds=(START_NS + 99 * SECOND) // 1000)
    before = text.replace("{}", (at + timedelta(seconds=1)).isoformat())
    assert not of("outdated_policy", found(events=decision, text=before))
    assert of("outdated_policy", found(events=decision, text=text.replace("{}", at.isoformat()))) == {"p 1": (1, "2")}

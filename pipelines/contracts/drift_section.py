"""The catalog's section ``drift`` of a workflow: how it is watched; what is left out follows the defaults."""

from __future__ import annotations

from typing import Annotated, cast

from pydantic import BeforeValidator, Field

from pipelines.contracts.located import Entry


def _switch(value: object) -> object:
    """Take ``on`` and ``off`` for an entry that says no more than that."""
    if isinstance(value, bool):
        return {"enabled": value}
    if not isinstance(value, dict):
        raise ValueError("give on, off, or a mapping with what is to be another than the default")
    return cast("object", value)


class RuleEntry(Entry):
    """A rule of drift detection: whether it is watched."""

    enabled: bool = True


class NewNameRule(RuleEntry):
    """A rule about names that were never used: after how many runs without a new one the next is told."""

    runs: Annotated[int, Field(ge=1, le=1_000_000)] | None = None


class LoopRule(RuleEntry):
    """How many calls of one tool with one argument shape in a run are told."""

    calls: Annotated[int, Field(ge=2, le=1_000_000)] | None = None


class RefusedRule(RuleEntry):
    """After how many further denials of one action in a run it is told."""

    times: Annotated[int, Field(ge=1, le=1_000_000)] | None = None


class RulesEntry(Entry):
    """The rules of drift detection, by name; what is left out follows the defaults of ``pipelines/stages/rules.py``."""

    approval_skipped: Annotated[RuleEntry, BeforeValidator(_switch)] = RuleEntry()
    forbidden_effect: Annotated[RuleEntry, BeforeValidator(_switch)] = RuleEntry()
    loop: Annotated[LoopRule, BeforeValidator(_switch)] = LoopRule()
    outdated_policy: Annotated[RuleEntry, BeforeValidator(_switch)] = RuleEntry()
    refused_again: Annotated[RefusedRule, BeforeValidator(_switch)] = RefusedRule()
    unknown_model: Annotated[NewNameRule, BeforeValidator(_switch)] = NewNameRule()
    unknown_policy_version: Annotated[RuleEntry, BeforeValidator(_switch)] = RuleEntry()
    unknown_tool: Annotated[NewNameRule, BeforeValidator(_switch)] = NewNameRule()


class StreamsEntry(Entry):
    """The streams that are watched by statistics, by metric: on, unless one is off."""

    any_tool_error: bool = True
    approval_skipped: bool = True
    argument_shape: bool = True
    cached_ratio: bool = True
    context_tokens: bool = True
    cost_ratio_to_usual: bool = True
    cost_usd_by_environment: bool = True
    cost_usd_per_run: bool = True
    cost_usd_per_success: bool = True
    denied: bool = True
    duration_ms: bool = True
    escalated: bool = True
    finish_reason: bool = True
    input_format: bool = True
    input_tokens_per_call: bool = True
    looped: bool = True
    model_served: bool = True
    null_ratio: bool = True
    outdated_policy: bool = True
    overridden: bool = True
    path: bool = True
    retries_per_run: bool = True
    retrieval_source: bool = True
    runs_per_hour: bool = True
    steps_per_run: bool = True
    success: bool = True
    success_by_environment: bool = True
    tokens_per_call: bool = True
    tokens_ratio_to_usual: bool = True
    tool_calls_per_run: bool = True
    tool_error: bool = True
    tool_error_by_environment: bool = True
    tool_latency_ms: bool = True
    tool_mix: bool = True
    unknown_policy_version: bool = True
    unpriced: bool = True
    wasted: bool = True


class DriftEntry(Entry):
    """How a workflow is watched for drift."""

    rules: RulesEntry = RulesEntry()
    streams: StreamsEntry = StreamsEntry()

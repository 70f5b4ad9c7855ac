"""A block of runs of one template: paths, tokens and clocks become rows of spans and events.

Every figure is drawn for the whole block at once; matrices have a row per run and a column per step. Model calls and
actions alternate: call 0, action 0, call 1, ... and a last call that answers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .behaviour import Behaviour
from .paths import ESCALATE, Paths, walk
from .table import (
    ABANDONED,
    CHAT,
    ESCALATED,
    FAILURE,
    RETRIEVE,
    RUN,
    SPAN_COLUMNS,
    SUCCESS,
    TOOL,
    Rows,
    concat,
)
from .template import Template

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_RUN_CORRELATION = 0.12  # weight of the previous run's effect: a lag-1 correlation of about 0.12
_CALL_FAILS = 0.006
_OUTCOME_UNTOLD = 0.007
_NEW_SESSION = 0.85
_REJECTED = 0.02

GRANTED, REJECTED, BYPASSED, REQUESTED = range(4)
"""Approval statuses, in the order of :data:`APPROVALS`."""
APPROVALS = ("granted", "denied", "bypassed", "requested")
APPROVAL_DENIED = 3
"""Error code of a call that a person did not approve."""


@dataclass(frozen=True, slots=True)
class Block:
    """Runs of one template that start in one slice.

    Attributes
    ----------
    laws : tuple of Behaviour
        The normal one, then those after each drift on a workflow of this template.
    workflow, started, release, law : (runs,)
        Index in the fleet, microseconds since 1970, number of the release, index into ``laws``.
    size_factor : (runs,) float64
        Multiplies the tokens of each run's first prompt.
    """

    template_index: int
    template: Template
    laws: tuple[Behaviour, ...]
    workflow: NDArray[np.int32]
    started: Ints
    release: NDArray[np.int8]
    law: NDArray[np.int8]
    size_factor: Floats

    def each(self, figure: Callable[[Behaviour], float]) -> Floats:
        """Return a figure of the law of each run; (runs,) float64."""
        return np.array([figure(law) for law in self.laws])[self.law]


@dataclass(frozen=True, slots=True)
class Drawn:
    """What the events of a block are made from: its run and action rows, and the verdicts behind them.

    ``approval`` has a status code of :data:`APPROVALS` per action row (-1: none needed); ``refused_*`` are the writes
    that a policy stopped, which have no row of their own.
    """

    runs: Rows
    actions: Rows
    action_verdict: NDArray[np.int8]
    approval: NDArray[np.int8]
    refused_run: Ints
    refused_at: Ints
    refused_action: NDArray[np.int8]
    refused_verdict: NDArray[np.int8]


def draw_runs(block: Block, rng: np.random.Generator) -> tuple[Rows, Drawn]:
    """Return the span rows of the block, and what its events need."""
    template, size = block.template, len(block.started)
    paths = walk(template, block.laws, block.law, rng)
    acted = paths.action >= 0
    counts = acted.sum(axis=1)
    executed = acted & (paths.verdict <= 0)  # none asked, or allowed
    called = np.arange(acted.shape[1] + 1) <= counts[:, None]
    final = np.arange(acted.shape[1] + 1) == counts[:, None]

    effect = rng.standard_normal(size)
    effect[1:] = (effect[1:] + _RUN_CORRELATION * effect[:-1]) / np.hypot(1, _RUN_CORRELATION)
    inputs, cached, outputs = _tokens(block, paths, called, final, effect, rng)

    # Clocks, in microseconds: columns are call 0, action 0, call 1, ...
    call_time = _exp(rng, called.shape, 420_000, 0.35) + outputs * _exp(rng, called.shape, 11_000, 0.2)
    call_fails = called & (rng.random(called.shape) < _CALL_FAILS)
    failed_time = np.where(call_fails, _exp(rng, called.shape, 300_000, 0.3), 0)
    latency = np.array([*(tool.latency_ms for tool in template.tools), 240.0]) * 1000
    waits = np.array([*(tool.approval for tool in template.tools), False])
    action_time = latency[paths.action] * np.exp(0.45 * rng.standard_normal(acted.shape))
    action_time += np.where(waits[paths.action], _exp(rng, acted.shape, 9_000_000, 0.7), 0)
    durations = np.zeros((size, acted.shape[1] * 2 + 1), np.int64)
    durations[:, ::2] = np.where(called, np.rint(call_time + failed_time), 0).astype(np.int64)
    durations[:, 1::2] = np.where(executed, np.rint(action_time), 0).astype(np.int64)
    gaps = np.where(durations > 0, rng.integers(1_500, 14_000, durations.shape), 0)
    ends = block.started[:, None] + 2_000 + np.cumsum(durations + gaps, axis=1)
    starts = ends - durations

    trace = rng.integers(1, 2**64, (2, size), dtype=np.uint64, endpoint=False)
    root = rng.integers(1, 2**64, size, dtype=np.uint64)
    session = rng.integers(1, 2**64, size, dtype=np.uint64)
    kept = np.flatnonzero((rng.random(size) >= _NEW_SESSION) & (np.arange(size) > 0))
    kept = kept[block.workflow[kept] == block.workflow[kept - 1]]
    session[kept] = session[kept - 1]
    model = _choose(rng, block, np.arange(size))

    def rows(run: Ints, **columns: NDArray[Any] | int) -> Rows:
        return Rows(
            SPAN_COLUMNS,
            len(run),
            workflow=block.workflow[run],
            template=block.template_index,
            release=block.release[run],
            trace_high=trace[0][run],
            trace_low=trace[1][run],
            session=session[run],
            **columns,
        )

    run, step = np.nonzero(called)
    call_model = _choose(rng, block, run) if template.fallback else model[run]
    chats = rows(
        run,
        kind=CHAT,
        start=starts[run, 2 * step] + np.rint(failed_time[run, step]).astype(np.int64),
        end=ends[run, 2 * step],
        span=_ids(rng, len(run)),
        parent=root[run],
        model=call_model,
        input_tokens=inputs[run, step],
        cached_tokens=cached[run, step],
        output_tokens=outputs[run, step],
        finish=np.where(
            final[run, step], np.where(rng.random(len(run)) < block.each(lambda law: law.cut_short)[run], 2, 0), 1
        ),
        action=-1,
        outcome=-1,
    )
    lost = call_fails[run, step]
    run, step = run[lost], step[lost]
    refused_calls = rows(
        run,
        kind=CHAT,
        start=starts[run, 2 * step],
        end=starts[run, 2 * step] + np.rint(failed_time[run, step]).astype(np.int64) - 900,
        span=_ids(rng, len(run)),
        parent=root[run],
        model=call_model[lost],
        error=rng.integers(1, 3, len(run)),
        action=-1,
        outcome=-1,
    )

    run, step = np.nonzero(executed)
    action = paths.action[run, step]
    ids = np.zeros(acted.shape, np.uint64)
    ids[run, step] = _ids(rng, len(run))
    undoes = paths.undoes[run, step]
    is_tool = action < len(template.tools)
    skipped = rng.random(len(run)) < block.each(lambda law: law.bypassed)[run]
    answer = np.where(skipped, BYPASSED, np.where(rng.random(len(run)) < _REJECTED, REJECTED, GRANTED))
    approval = np.where(waits[action], answer, -1).astype(np.int8)
    error = paths.failed[run, step] * rng.integers(1, 3, len(run))
    actions = rows(
        run,
        kind=np.where(is_tool, TOOL, RETRIEVE),
        start=starts[run, 2 * step + 1],
        end=ends[run, 2 * step + 1],
        span=ids[run, step],
        parent=root[run],
        action=action,
        error=np.where(approval == REJECTED, APPROVAL_DENIED, error),
        shape=_shapes(block, action, block.law[run], rng),
        draw=rng.integers(0, 2**64, len(run), dtype=np.uint64),
        compensates=np.where(undoes >= 0, ids[run, undoes], np.uint64(0)),
        sources=np.where(is_tool, np.uint64(0), _sources(block, block.law[run], rng)),
        outcome=-1,
    )
    refused_run, refused_step = np.nonzero(acted & ~executed)

    outcome = _outcomes(block, paths, rng)
    worth = np.rint(100 * template.value_usd * np.exp(0.8 * rng.standard_normal(size)))
    roots = rows(
        np.arange(size),
        kind=RUN,
        start=block.started,
        end=ends[:, -1] + rng.integers(900, 6_000, size),
        span=root,
        parent=0,
        model=model,
        input_tokens=inputs.sum(axis=1),
        output_tokens=outputs.sum(axis=1),
        action=-1,
        outcome=np.where(rng.random(size) < _OUTCOME_UNTOLD, -1, outcome),
        value_cents=np.where(outcome == SUCCESS, worth, 0),
    )
    drawn = Drawn(
        roots,
        actions,
        paths.verdict[run, step],
        approval,
        refused_run,
        starts[refused_run, 2 * refused_step + 1],
        paths.action[refused_run, refused_step],
        paths.verdict[refused_run, refused_step],
    )
    return concat([roots, chats, refused_calls, actions]), drawn


def _tokens(
    block: Block, paths: Paths, called: Mask, final: Mask, effect: Floats, rng: np.random.Generator
) -> tuple[Ints, Ints, Ints]:
    """Return input, cached and output tokens per call, (runs, calls) int64 each; cached is a part of input."""
    template = block.template
    size, calls = called.shape
    prompt_factor = block.each(lambda law: law.prompt_factor)[:, None]
    retrieval_factor = block.each(lambda law: law.retrieval_factor)[:, None]
    cache_hit = block.each(lambda law: law.cache_hit)[:, None]
    base = template.prompt_tokens * (block.size_factor * np.exp(template.run_sigma * effect))[:, None]
    wordiness = np.exp(0.25 * rng.standard_normal((size, 1)) + 0.1 * effect[:, None])
    wordiness *= block.each(lambda law: law.output_factor)[:, None]
    outputs = np.rint(np.where(final, 210.0, 48.0) * wordiness * np.exp(0.55 * rng.standard_normal((size, calls)))) + 1
    medians = np.array([*(tool.result_tokens for tool in template.tools), template.retrieval_tokens])
    results = medians[paths.action] * np.exp(0.7 * rng.standard_normal(paths.action.shape))
    results *= np.where(paths.action == len(template.tools), retrieval_factor, 1.0)
    growth = np.cumsum(np.where(paths.action >= 0, results + outputs[:, :-1], 0), axis=1)
    context = np.concatenate([np.zeros((size, 1)), growth], axis=1) + base
    inputs = np.rint(context * prompt_factor).astype(np.int64)
    previous = np.concatenate([np.full((size, 1), template.system_tokens), inputs[:, :-1]], axis=1)
    chance = np.where(np.arange(calls) == 0, cache_hit * 0.7, cache_hit)
    cached = np.where(rng.random((size, calls)) < chance, np.minimum(previous, inputs) // 128 * 128, 0)
    return np.where(called, inputs, 0), np.where(called, cached, 0), np.where(called, outputs, 0).astype(np.int64)


def _outcomes(block: Block, paths: Paths, rng: np.random.Generator) -> NDArray[np.int8]:
    """Decide how each run ends; trouble on the way hands more of them to a person."""
    template = block.template
    refused = (paths.verdict > 0).any(axis=1)
    counts = (paths.action >= 0).sum(axis=1)
    stuck = paths.failed[np.arange(len(counts)), np.maximum(counts - 1, 0)]  # the last action failed and was left
    to_person = block.each(lambda law: law.escalated) + 0.05 * refused + 0.15 * stuck
    to_person += 0.3 * (paths.verdict == ESCALATE).any(axis=1) * (template.escalated > 0)
    failed = block.each(lambda law: law.failed) + 0.02 * refused + 0.35 * stuck
    draw = rng.random(len(counts))
    if template.escalated == 0:  # this workflow can only pass or fail
        to_person = np.zeros(len(counts))
    edges = np.cumsum([to_person, failed, np.full(len(counts), template.abandoned)], axis=0)
    ends = np.array([ESCALATED, FAILURE, ABANDONED, SUCCESS], dtype=np.int8)
    return ends[(draw >= edges).sum(axis=0)]


def _shapes(
    block: Block, action: NDArray[np.int8], law: NDArray[np.int8], rng: np.random.Generator
) -> NDArray[np.int8]:
    draw = rng.random(len(action))
    tools = len(block.template.tools)
    widest = max(len(shares) for shares in block.laws[0].shape_shares)
    edges = np.ones((len(block.laws), tools + 1, widest))
    for number, behaviour in enumerate(block.laws):
        for tool, shares in enumerate(behaviour.shape_shares):
            edges[number, tool, : len(shares)] = np.cumsum(shares)
    found = (draw[:, None] >= edges[law, action][:, : widest - 1]).sum(axis=1)
    return found.astype(np.int8)


def _sources(block: Block, law: NDArray[np.int8], rng: np.random.Generator) -> NDArray[np.uint64]:
    """Draw two to five source codes for each row, packed into a byte each; documents may repeat, as their chunks do."""
    edges = np.stack([np.cumsum(each.source_shares) for each in block.laws])[:, :-1]
    draw = rng.random((len(law), 5))
    count = rng.integers(2, 6, len(law))
    packed = np.zeros(len(law), np.uint64)
    mine = edges[law]
    for place in range(5):
        code = (draw[:, place, None] >= mine).sum(axis=1).astype(np.uint64)
        packed |= np.where(place < count, code, np.uint64(0xFF)) << np.uint64(8 * place)
    return packed | np.uint64(0xFFFFFF << 40)


def _exp(rng: np.random.Generator, shape: tuple[int, ...], median: float, sigma: float) -> Floats:
    return median * np.exp(sigma * rng.standard_normal(shape))


def _ids(rng: np.random.Generator, size: int) -> NDArray[np.uint64]:
    return rng.integers(1, 2**64, size, dtype=np.uint64)


def _choose(rng: np.random.Generator, block: Block, run: Ints) -> NDArray[np.int8]:
    """Draw a model for each of these runs, by the shares of its law."""
    edges = np.stack([np.cumsum(law.model_shares)[:-1] for law in block.laws])[block.law[run]]
    return (rng.random(len(run))[:, None] >= edges).sum(axis=1).astype(np.int8)

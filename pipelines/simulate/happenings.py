"""The events on the spans of a block: policy decisions, approvals, overrides, verdicts of evaluators."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .paths import ALLOW, DENY, REDACT
from .runs import BYPASSED, REQUESTED, Block, Drawn
from .table import APPROVAL, DECISION, EVALUATION, EVENT_COLUMNS, OVERRIDE, ROLLBACK, SUCCESS, Rows, concat

KILL_SWITCH, VERSION = range(2)

_REDACTED = 0.03


def draw_events(block: Block, drawn: Drawn, rng: np.random.Generator) -> Rows:
    """Return the event rows of a block.

    A refused write has no tool span: its decision sits on the run, that of an executed one on its tool span.
    """
    template = block.template
    runs, actions = drawn.runs, drawn.actions
    everyone = np.arange(len(runs))

    draw = rng.random(len(runs))
    denied = block.each(lambda law: law.denied)
    verdict = np.where(draw < denied, DENY, np.where(draw < denied + _REDACTED, REDACT, ALLOW))
    parts = [
        _rows(runs, everyone, DECISION, runs["start"] + 1_200, subject=-1, verdict=verdict),
        _rows(
            runs,
            drawn.refused_run,
            DECISION,
            drawn.refused_at,
            subject=drawn.refused_action,
            verdict=drawn.refused_verdict,
        ),
    ]
    asked = np.flatnonzero(drawn.action_verdict == ALLOW)
    parts.append(
        _rows(actions, asked, DECISION, actions["start"][asked] + 300, subject=actions["action"][asked], verdict=ALLOW)
    )

    gone = np.flatnonzero(drawn.approval == BYPASSED)
    put = np.flatnonzero((drawn.approval >= 0) & (drawn.approval != BYPASSED))
    parts.append(_rows(actions, gone, APPROVAL, actions["start"][gone] + 400, verdict=BYPASSED))
    parts.append(_rows(actions, put, APPROVAL, actions["start"][put] + 400, verdict=REQUESTED))
    waited = actions["start"][put] + (0.9 * (actions["end"][put] - actions["start"][put])).astype(np.int64)
    parts.append(_rows(actions, put, APPROVAL, waited, verdict=drawn.approval[put]))

    changed = np.flatnonzero(rng.random(len(runs)) < block.each(lambda law: law.overridden))
    parts.append(_rows(runs, changed, OVERRIDE, runs["end"][changed] - 400))
    if template.outcome_by == "evaluation":
        told = np.flatnonzero(runs["outcome"] >= 0)
        parts.append(_rows(runs, told, EVALUATION, runs["end"][told], verdict=runs["outcome"][told] == SUCCESS))
    return concat(parts)


def drill_events(run: Rows, stop_minutes: float, rollback_minutes: float) -> Rows:
    """Return the two events of a rollback drill, on one run: the kill switch, then the release before."""
    at = np.repeat(run["start"] + 5_000, 2) + np.array([0, 5_000])
    minutes = np.array([stop_minutes, rollback_minutes])
    return _rows(
        run,
        np.zeros(2, np.int64),
        ROLLBACK,
        at,
        subject=np.array([KILL_SWITCH, VERSION]),
        done=at + np.rint(minutes * 60_000_000).astype(np.int64),
    )


def _rows(spans: Rows, chosen: NDArray[np.int64], kind: int, at: NDArray[Any], **columns: NDArray[Any] | int) -> Rows:
    own = {name: spans[name][chosen] for name in ("span", "workflow", "template", "release")}
    return Rows(EVENT_COLUMNS, len(chosen), kind=kind, at=at, **own, **columns)

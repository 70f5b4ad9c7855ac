"""Names of the drifts that the simulation can inject. Plain text: the command line's help loads nothing more for them."""

from __future__ import annotations

DEFAULT_DRIFTS = ("data", "behavior", "tool", "cost", "policy")
"""What is injected when nothing is asked for: one per family."""

TWELVE = (
    *("reality", "data", "policy", "tool", "model", "human"),
    *("intent", "context", "behavior", "tool_misuse", "economic", "governance"),
)
"""The field's six drifts and its six failure modes; ``all`` asks for them. ``tool`` is the drift, ``tool_misuse`` the
failure mode."""

DRIFTS = (*DEFAULT_DRIFTS, *(name for name in TWELVE if name not in DEFAULT_DRIFTS))
"""Every name that can be injected, in the order of the draws: a new one goes to the end, so that it moves none before."""

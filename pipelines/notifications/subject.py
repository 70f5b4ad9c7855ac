"""What may be told of: an incident, a budget, a workflow's readiness, trouble of the product itself, as it stands now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Subject:
    """One subject as it stands.

    Attributes
    ----------
    kind : str
        ``drift``, ``budget``, ``forecast``, ``readiness``, ``audit``, ``quality`` or ``operation``.
    subject_id : str
        Constant over its life.
    state : str
        ``open``, ``acknowledged``, ``silenced`` or ``resolved``.
    occasion : str
        What brought it into this state.
    revision : int or None
        Which of its states this is; None where nobody counts them: then it is one more than was told last.
    extent : int
        How much of it there is: of an incident its signals. More of it is no new state.
    is_instant : bool
        It happened, and is told once: a rung of a budget's ladder, messages lost. It has no state to return from.
    opened_at, changed_at : datetime
        UTC without a zone.
    details : tuple of (label, value)
    data : mapping
        For receivers that are programs: JSON-able values.
    """

    kind: str
    subject_id: str
    state: str
    severity: str
    headline: str
    opened_at: datetime
    changed_at: datetime
    occasion: str = "opened"
    revision: int | None = None
    extent: int = 1
    is_instant: bool = False
    workflow: str | None = None
    family: str | None = None
    families: tuple[str, ...] = ()
    team: str | None = None
    environment: str | None = None
    details: tuple[tuple[str, str], ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)

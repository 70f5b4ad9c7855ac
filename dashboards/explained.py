"""What a signal says of itself, in words: onset, size, test, causes, actions. It holds names from traces: nothing is trusted."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dashboards import text

Row = Mapping[str, Any]

#: More causes than this are not causes.
_MOST = 5
_MEASURES = {
    "cliffs_delta": "Cliff's delta",
    "risk_difference": "risk difference",
    "total_variation": "total variation",
}


@dataclass(frozen=True, slots=True)
class Cause:
    """Something that changed near the onset.

    Attributes
    ----------
    name, before, after : str
        As text that is safe to show.
    changed_at : datetime or None
    separates, score : float or None
        In [0, 1].
    """

    name: str
    before: str
    after: str
    changed_at: datetime | None
    separates: float | None
    score: float | None


def _listed(document: str | None) -> list[dict[str, Any]]:
    try:
        known = json.loads(document or "")
    except (ValueError, RecursionError):
        return []
    return [entry for entry in known if isinstance(entry, dict)] if isinstance(known, list) else []


def causes(document: str | None) -> list[Cause]:
    """What changed near the onset, best first; empty when `document` has none.

    Parameters
    ----------
    document : str | None
        JSON text of a signal's ``causes``.

    Examples
    --------
    >>> [found] = causes('[{"attribute": "prompt_version", "before": null, "after": "9", "separates": 0.97, "score": 0.9}]')
    >>> found.name, found.before, found.after, found.changed_at, found.separates
    ('prompt version', '(none)', '9', None, 0.97)
    >>> causes("not json"), causes('[1, {"after": 3}]'), causes(None)
    ([], [], [])
    """
    rows = [entry for entry in _listed(document) if isinstance(entry.get("attribute"), str) and entry.get("after")]
    return [
        Cause(
            text.plain(entry["attribute"].replace("_", " "), 40),
            text.plain(entry.get("before") or "(none)", 40),
            text.plain(entry["after"], 40),
            _moment(entry.get("changed_at")),
            _ratio(entry.get("separates")),
            _ratio(entry.get("score")),
        )
        for entry in rows[:_MOST]
    ]


def releases(document: str | None) -> tuple[str, str] | None:
    """The two releases, when the likeliest cause is that one followed the other; as traces name them: to look up, not to show.

    Examples
    --------
    >>> releases('[{"attribute": "release", "before": "1.4", "after": "1.5"}, {"attribute": "model", "after": "m"}]')
    ('1.4', '1.5')
    >>> releases('[{"attribute": "release", "before": null, "after": "1.5"}]'), releases("not json")
    (None, None)
    """
    first = next(iter(_listed(document)), {})
    before, after = first.get("before"), first.get("after")
    if first.get("attribute") != "release" or not isinstance(before, str) or not isinstance(after, str):
        return None
    return before, after


def actions(document: str | None) -> list[str]:
    """What may be done, best first.

    Examples
    --------
    >>> actions('[{"action": "throttle", "target": null, "text": "throttle the workflow"}, {"text": 5}]')
    ['throttle the workflow']
    """
    return [text.plain(entry["text"], 300) for entry in _listed(document) if isinstance(entry.get("text"), str)]


def onset(row: Row) -> str:
    """When the change began, with the interval in which that lies."""
    at, low, high = row["onset_at"], row.get("onset_low_at"), row.get("onset_high_at")
    said = text.when(at, seconds=True)
    if low is None or high is None:
        return said
    return f"{said} (90\u202f% between {text.when(low, seconds=True)} and {text.when(high, seconds=True)})"


def size(row: Row) -> str:
    """How much changed, in the metric's own unit.

    Examples
    --------
    >>> size({"effect": 0.19, "unit": "usd", "before_value": 0.42, "kind": "continuous"})
    '+$0.190 (+45\u202f%)'
    >>> size({"effect": -0.15, "unit": "ratio", "before_value": 0.9, "kind": "rate"})
    '−15 percentage points'
    >>> size({"effect": 0.55, "unit": "total_variation", "before_value": 0.0, "kind": "mix"})
    '55\u202f% of the mix moved'
    """
    effect, unit, before = row["effect"], row["unit"], row["before_value"]
    if effect is None:
        return ""
    if row["kind"] == "mix":
        return f"{text.percent(effect)} of the mix moved"
    sign = "+" if effect >= 0 else "−"
    if unit == "ratio":
        return f"{sign}{text.significant(100 * abs(effect))} percentage points"
    relative = f" ({sign}{text.percent(abs(effect / before), 0)})" if before else ""
    return f"{sign}{text.measure(abs(effect), unit)}{relative}"


def compared(row: Row) -> str:
    """What the two-sample test says; empty where there is none.

    Examples
    --------
    >>> compared({"evidence_test": "Fisher", "evidence_measure": "risk_difference", "evidence_effect": 0.16, "evidence_low": 0.09,
    ...         "evidence_high": 0.26, "evidence_p_value": 8.6e-9, "evidence_runs_before": 654, "evidence_runs_after": 82})
    'Fisher: risk difference 0.16 (95\u202f% 0.09 to 0.26), p < 0.0001, 654 runs before, 82 after'
    """
    if not row.get("evidence_test"):
        return ""
    measure = _MEASURES.get(row["evidence_measure"], text.plain(row["evidence_measure"], 30))
    effect, low, high = (row[f"evidence_{name}"] for name in ("effect", "low", "high"))
    p_value = row["evidence_p_value"]
    chance = "" if p_value is None else ", p < 0.0001" if p_value < 1e-4 else f", p = {text.significant(p_value, 2)}"
    return (
        f"{text.plain(row['evidence_test'], 30)}: {measure} {_signed(effect)} "
        f"(95\u202f% {_signed(low)} to {_signed(high)}){chance}, "
        f"{text.count(row['evidence_runs_before'])} runs before, {text.count(row['evidence_runs_after'])} after"
    )


def precision(row: Row) -> str:
    """The share of acknowledged incidents that were real, with its interval.

    Examples
    --------
    >>> precision({"precision_ratio": 0.5, "precision_low_ratio": 0.0945, "precision_high_ratio": 0.9055})
    '50\u202f% (95\u202f% 9\u202f% to 91\u202f%)'
    """
    if row["precision_ratio"] is None:
        return "not known yet"
    low, high = text.percent(row["precision_low_ratio"], 0), text.percent(row["precision_high_ratio"], 0)
    return f"{text.percent(row['precision_ratio'], 0)} (95\u202f% {low} to {high})"


def _signed(value: float | None) -> str:
    return text.UNKNOWN if value is None else f"{value:.2f}".replace("-", "−")


def _moment(value: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(value.removesuffix("Z")).replace(tzinfo=None) if isinstance(value, str) else None
    except ValueError:
        return None


def _ratio(value: Any) -> float | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number and math.isfinite(value) else None

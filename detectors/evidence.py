"""From an alarm to a signal: onset, before and after in the metric's unit, effect, counts, headline.

Names and categories come from traces, so they are untrusted: shortened and stripped of control characters in text.
"""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

import numpy as np

from detectors.bank import Bank
from detectors.banks import ContinuousBank, MixBank
from detectors.kernels import continuous, mix, normal, rate
from detectors.second_opinion import adwin_verdict
from detectors.state import Arrays

UNITS = {
    "usd": "usd",
    "tokens": "tokens",
    "ms": "ms",
    "steps": "steps",
    "calls": "calls",
    "retries": "calls",
    "runs": "runs",
}
SHARES_SHOWN = 8
# The fastest window of a mix whose tracker is so near the strongest dates the onset best: slow ones start too early.
NEARLY_STRONGEST = 0.5


def unit_of(metric: str, kind: str) -> str:
    """Unit of a metric, from the words of its name.

    Examples
    --------
    >>> unit_of("cost_usd_per_run", "continuous"), unit_of("tool_error", "rate"), unit_of("path", "mix")
    ('usd', 'ratio', 'total_variation')
    >>> unit_of("tool_calls_per_run", "continuous"), unit_of("retries_per_run", "continuous")
    ('calls', 'calls')
    >>> unit_of("tokens_ratio_to_usual", "continuous")
    'ratio'
    """
    if kind == "rate":
        return "ratio"
    if kind == "mix":
        return "total_variation"
    words = metric.split("_")
    return "ratio" if "ratio" in words else next((UNITS[word] for word in words if word in UNITS), "value")


def plain(text: str, longest: int = 60) -> str:
    r"""Printable text of bounded length.

    Examples
    --------
    >>> plain("kb\x1b[2J")
    'kb[2J'
    """
    kept = "".join(character for character in text[: 4 * longest] if character.isprintable())
    return kept if len(kept) <= longest else kept[: longest - 1] + "…"


def finite(value: float) -> float | None:
    """The value, or null where there is none."""
    return float(value) if math.isfinite(value) else None


def amount(value: float | None, unit: str) -> str:
    """A value as a person reads it: rates in percent, others with three significant digits and unit."""
    if value is None:
        return "unknown"
    if unit == "ratio":
        return f"{100 * value:.3g} %"
    return f"{value:.0f} {unit}" if abs(value) >= 1000 else f"{value:.3g} {unit}"


def moment(microseconds: int) -> datetime:
    """Naive UTC time."""
    return datetime.fromtimestamp(microseconds // 1_000_000, UTC).replace(
        tzinfo=None, microsecond=microseconds % 1_000_000
    )


def onset_times(state: Arrays, slot: int, tracker: int) -> dict[str, datetime]:
    """When the change began, and the 90 % interval for it, from one onset tracker of an alarmed stream.

    The tracker is the path of a log likelihood ratio above its own minimum. Its minimum is the likeliest start; the
    interval reaches from the first start whose log likelihood is within EARLIER of it to the last one within LATER. As the
    fall to the minimum is known in steps of half of EARLIER, it reaches back up to half as much again.

    References
    ----------
    Siegmund (1988), Confidence sets in change-point problems (sets by likelihood ratio). Wu (2005), Inference for
    change-point and post-change means after a CUSUM test.
    """
    alarm = int(state["alarm_at"][slot])
    began = int(state["onset_at"][slot, tracker]) if state["onset_n"][slot, tracker] else alarm
    low, high = int(state["onset_low_at"][slot, tracker, -1]), int(state["onset_high_at"][slot, tracker])
    # Late observations carry earlier times, so the order is not a matter of course.
    return {
        "onset_at": moment(began),
        "onset_low_at": moment(min(low, began)),
        "onset_high_at": moment(max(high, began)),
    }


def signal_of(
    bank: Bank, slot: int, key: tuple[str, str, str, str], kind: str, new_names: list[str], *, second_opinion: bool
) -> dict[str, Any]:
    """Describe the alarm that stream `slot` stands in, as one row of the signals frame."""
    workflow, family, metric, dimension = key
    state = bank.arrays
    found = _mix(bank, slot, new_names) if isinstance(bank, MixBank) else _level(bank, slot, unit_of(metric, kind))
    headline, detail = found.pop("change"), found.pop("detail")
    if second_opinion:
        detail["second_opinion"] = adwin_verdict(bank.scores(slot))
    place = f"{plain(metric)} [{plain(dimension)}]" if dimension else plain(metric)
    return {
        "workflow": workflow,
        "family": family,
        "metric": metric,
        "dimension": dimension,
        "kind": kind,
        "detector": bank.DETECTOR,
        "at": moment(int(state["alarm_at"][slot])),
        "log_e": float(state["log_e"][slot]),
        "threshold": float(state["threshold"][slot]),
        "unit": unit_of(metric, kind),
        "detail": json.dumps(detail, ensure_ascii=False, sort_keys=True),
        "headline": f"{plain(workflow)}: {place} {headline}",
        **found,
    }


def _level(bank: Bank, slot: int, unit: str) -> dict[str, Any]:
    """Onset, before and after of a continuous stream or a rate: from the stronger tracker on the alarm's side."""
    state = bank.arrays
    statistic, cusum = state["statistic"][slot], state["cusum"][slot]
    up = bool(statistic[:4].sum() >= statistic[4:].sum())
    half = len(cusum) // 2
    tracker = int(np.argmax(cusum[:half])) if up else half + int(np.argmax(cusum[half:]))
    n_after = int(state["onset_n"][slot, tracker])
    n_before = int(state["reference_n"][slot]) - n_after
    sum_after = float(state["onset_sum"][slot, tracker])
    before = finite((float(state["reference_sum"][slot]) - sum_after) / n_before) if n_before > 0 else None
    after = finite(sum_after / n_after) if n_after > 0 else None
    effect = after - before if before is not None and after is not None else None
    detail: dict[str, Any] = {"direction": "up" if up else "down"}
    if isinstance(bank, ContinuousBank) and n_after > 0:
        index = int(continuous.TRACKED[tracker]) % 4
        steps = float(cusum[tracker]) / n_after + float(normal.LOG_MGF[index])
        detail["shift_standard_deviations"] = round((1 if up else -1) * steps / normal.SHIFTS[index], 4)
    elif not isinstance(bank, ContinuousBank):
        detail["odds_watched"] = round(float(rate.ODDS[rate.TRACKED[tracker]]), 4)
    relative = ""
    if effect is not None and before:
        detail["relative_change"] = round(effect / before, 6)
        relative = f" ({100 * effect / abs(before):+.0f} %)"
    verb = "rose" if up else "fell"
    return {
        **onset_times(state, slot, tracker),
        "before_value": before,
        "after_value": after,
        "effect": effect,
        "n_before": n_before,
        "n_after": n_after,
        "change": f"{verb} from {amount(before, unit)} to {amount(after, unit)}{relative}",
        "detail": detail,
    }


def _mix(bank: MixBank, slot: int, new_names: list[str]) -> dict[str, Any]:
    """Onset, shares before and after, total variation; before and after values are those of the most moved category."""
    state = bank.arrays
    cusum = state["cusum"][slot]
    window = int(np.argmax(cusum >= NEARLY_STRONGEST * cusum.max()))
    n_after, units_after = int(state["onset_n"][slot, window]), int(state["onset_units"][slot, window])
    shares_after = state["onset_shares"][slot, :, window].astype(np.float64)
    after = shares_after / units_after
    weights = state["weights"][slot] - shares_after
    before = weights / weights.sum()
    names = bank.bucket_names(slot)
    moved = int(np.argmax(np.abs(after - before)))
    order = [int(k) for k in np.argsort(-np.abs(after - before), kind="stable") if weights[k] > 0 or after[k] > 0]
    shown = [
        {"category": names[k], "before": round(float(before[k]), 6), "after": round(float(after[k]), 6)}
        for k in order[:SHARES_SHOWN]
    ]
    detail: dict[str, Any] = {"shares": shown}
    label = plain(names[moved], 40)
    if moved == mix.NEW and new_names:
        label = f"new {plain(new_names[0], 40)}"
    if new_names:
        detail["new_categories"] = new_names
    distance = 0.5 * float(np.abs(after - before).sum())
    return {
        **onset_times(state, slot, window),
        "before_value": float(before[moved]),
        "after_value": float(after[moved]),
        "effect": distance,
        "n_before": int(state["reference_n"][slot]) - n_after,
        "n_after": n_after,
        "change": f"moved by {distance:.2f} (total variation): {label} {100 * before[moved]:.3g} % → "
        f"{100 * after[moved]:.3g} %",
        "detail": detail,
    }

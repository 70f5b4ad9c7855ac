"""What a comparison of releases says, in words and in units that can be set side by side. Pure; no components, no figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from dashboards import text

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure as the page shows it.

    Parameters
    ----------
    name : str
        As table ``release_comparisons`` has it.
    title, key : str
        On the page; and its entry in `dashboards.definitions`.
    counted : str
        The runs that it rests on.
    nothing : str
        What to do where no run says anything about it.
    lower_is_better : bool
    """

    name: str
    title: str
    key: str
    counted: str
    nothing: str
    lower_is_better: bool = True


MEASURES = (
    Measure(
        "success rate",
        "Success rate",
        "release_success",
        "settled runs",
        "No run is settled yet.",
        lower_is_better=False,
    ),
    Measure("cost per run", "Cost per run", "release_cost", "priced runs", "No run has a known price."),
    Measure("duration", "Duration", "release_duration", "timed runs", "No run has a start and an end."),
    Measure(
        "tool error rate", "Tool error rate", "release_tool_errors", "runs with a tool call", "No run calls a tool."
    ),
    Measure(
        "denial rate",
        "Denial rate",
        "release_denials",
        "runs with a policy decision",
        "No run has a policy decision: send event plumbline.policy.decision.",
    ),
)

_VERDICTS = {
    "better": ("Better", "good"),
    "worse": ("Worse", "bad"),
    "same within the margin": ("Same", ""),
    "no worse than the margin": ("Not worse", ""),
    "no difference yet": ("No difference yet", ""),
    "needs data": ("Needs data", "warn"),
}


def verdict(row: Row) -> tuple[str, str]:
    """A measure's verdict, and its tone."""
    return _VERDICTS.get(row["verdict"], (text.plain(row["verdict"] or "unknown", 30), ""))


@dataclass(frozen=True, slots=True)
class Change:
    """A difference with its interval, in points (of a rate) or per cent (of the value before).

    Parameters
    ----------
    estimate, low, high, margin : float
        `margin` counts as no change.
    unit : str
        ``pt`` or ``%``.
    """

    estimate: float
    low: float
    high: float
    margin: float
    unit: str


def change(row: Row) -> Change | None:
    """The change that a row states; None where data is missing, or where the value before is zero.

    Examples
    --------
    >>> change({"difference": 0.05, "low": -0.1, "high": 0.2, "margin": 0.025, "unit": "usd", "before_value": 0.5})
    Change(estimate=10.0, low=-20.0, high=40.0, margin=5.0, unit='%')
    """
    if row["difference"] is None or (row["unit"] == "usd" and not row["before_value"]):
        return None
    scale = 100 / row["before_value"] if row["unit"] == "usd" else 100
    estimate, low, high, margin = (scale * row[name] for name in ("difference", "low", "high", "margin"))
    return Change(estimate, low, high, margin, "pt" if row["unit"] == "share" else "%")


def amount(value: float, unit: str) -> str:
    """The size of a change, without its sign.

    Examples
    --------
    >>> amount(-8.14, "pt"), amount(31.2, "%"), amount(0.04, "%"), amount(1234.0, "%")
    ('8.1\u202fpt', '31\u202f%', '0.0\u202f%', '1,234\u202f%')
    """
    size = abs(value)
    return f"{size:,.0f}\u202f{unit}" if unit == "%" and size >= 10 else f"{size:,.1f}\u202f{unit}"


def signed(value: float, unit: str) -> str:
    """A change with its sign."""
    return ("−" if value < 0 else "+") + amount(value, unit)


def interval(found: Change) -> str:
    """The ends of an interval.

    Examples
    --------
    >>> interval(Change(1, -2.5, 4.5, 5, "pt"))
    '−2.5\u202fpt to +4.5\u202fpt'
    """
    return f"{signed(found.low, found.unit)} to {signed(found.high, found.unit)}"


def said(row: Row, measure: Measure) -> str:
    """What a measure's verdict means, in one sentence.

    Examples
    --------
    >>> row = {"difference": 0.21, "low": 0.14, "high": 0.28, "margin": 0.05, "unit": "share", "before_value": 0.04}
    >>> said({**row, "verdict": "worse"}, MEASURES[4])
    'Up 21.0\u202fpt; by 14.0\u202fpt at the least.'
    >>> said({**row, "low": -0.2, "high": 0.03, "verdict": "no worse than the margin"}, MEASURES[4])
    'It may be better; it is not worse by more than 3.0\u202fpt.'
    """
    if row["verdict"] == "needs data":
        return measure.nothing if not row["before_runs"] and not row["after_runs"] else f"Too few {row['missing']}."
    found = change(row)
    if found is None:
        return "Nothing was paid before, so that there is no share of it."
    lowest, highest = amount(found.low, found.unit), amount(found.high, found.unit)
    if row["verdict"] in {"better", "worse"}:
        way, least = ("Up", lowest) if found.estimate > 0 else ("Down", highest)
        return f"{way} {amount(found.estimate, found.unit)}; by {least} at the least."
    if row["verdict"] == "same within the margin":
        most = amount(max(abs(found.low), abs(found.high)), found.unit)
        return f"If anything changed, then by {most} at the most: too little to matter."
    if row["verdict"] == "no worse than the margin":
        return f"It may be better; it is not worse by more than {highest if measure.lower_is_better else lowest}."
    return f"Anything from {interval(found)} is possible still."


def value(number: float | None, unit: str | None) -> str:
    """A measure's value."""
    return text.measure(number, {"share": "ratio"}.get(unit or "", unit))


def rests_on(row: Row, measure: Measure) -> str:
    """The runs behind a measure's values, and which part of all runs they are."""
    counts = [text.count(row[f"{side}_runs"]) for side in ("before", "after")]
    shares = [text.percent(row[f"{side}_coverage_ratio"]) for side in ("before", "after")]
    return f"{counts[0]} {measure.counted} before ({shares[0]} of all), {counts[1]} after ({shares[1]})"


@dataclass(frozen=True, slots=True)
class Pair:
    """One release beside another.

    Parameters
    ----------
    workflow, before, after : str
        As the traces say; made safe where they are shown.
    rows : dict
        Row of ``release_comparisons`` by measure, in the order of `MEASURES`.
    """

    workflow: str
    before: str
    after: str
    rows: dict[str, dict[str, Any]]

    @property
    def first(self) -> dict[str, Any]:
        """Any of the rows: what they share."""
        return next(iter(self.rows.values()))

    def with_verdict(self, name: str) -> list[str]:
        """Measures of that verdict, as they are called in a sentence."""
        return [measure.title.lower() for measure in MEASURES if self.rows.get(measure.name, {}).get("verdict") == name]


def pairs(comparisons: pl.DataFrame) -> list[Pair]:
    """The pairs of releases in the order of the frame, those against people left out; the newest of each workflow first."""
    found: dict[tuple[str, str, str], dict[str, dict[str, Any]]] = {}
    for row in comparisons.iter_rows(named=True):
        if row["compared_with"] != "people":
            found.setdefault((row["workflow"], row["from_release"], row["to_release"]), {})[row["measure"]] = row
    order = [measure.name for measure in MEASURES]
    return [
        Pair(*key, {name: rows[name] for name in order if name in rows})
        for key, rows in found.items()
        if any(name in rows for name in order)
    ]


def newest(found: Sequence[Pair]) -> list[Pair]:
    """Of each workflow its newest release beside the one before."""
    first: dict[str, Pair] = {}
    for pair in found:
        if pair.first["compared_with"] == "previous":
            first.setdefault(pair.workflow, pair)
    return list(first.values())


def summary(pair: Pair) -> str:
    """What a pair shows in one sentence; names of measures only."""
    worse, better = pair.with_verdict("worse"), pair.with_verdict("better")
    if worse and better:
        return f"worse in {listed(worse)}, better in {listed(better)}"
    if worse or better:
        return f"worse in {listed(worse)}" if worse else f"better in {listed(better)}"
    if len(pair.with_verdict("needs data")) == len(pair.rows):
        return "too few runs to say anything yet"
    return "nothing is shown to be better or worse yet"


def listed(names: Sequence[str]) -> str:
    """Names in a sentence.

    Examples
    --------
    >>> listed(["a"]), listed(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1] if names else ""]))

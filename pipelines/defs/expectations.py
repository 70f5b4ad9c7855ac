"""Great Expectations on one frame: what is expected, and a finding per expectation in words a person can act on.

The library is imported inside `findings` alone: it takes seconds and hundreds of megabytes, so only a check pays for it.
Column values come from traces. They are quoted as shortened text in the findings, and go nowhere else.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    import pandas as pd

EXAMPLES = 5  # bad rows named per expectation
_LONGEST = 64  # characters quoted of a value


@dataclass(frozen=True, slots=True)
class Expectation:
    """One rule.

    Parameters
    ----------
    rule : str
        What must hold, as the report says it.
    kind : str
        Class in ``great_expectations.expectations``.
    arguments : dict[str, Any]
        Its arguments.
    """

    rule: str
    kind: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one expectation.

    Attributes
    ----------
    rule : str
        What must hold.
    passed : bool
        Whether it does.
    observed : str
        What was found instead, or how many rows were looked at.
    bad_rows : int
        Rows that break the rule; for a rule about the whole table 0 or 1.
    examples : str
        Keys of the first of them, each with the value found.
    """

    rule: str
    passed: bool
    observed: str
    bad_rows: int
    examples: str


def not_null(column: str) -> Expectation:
    """Every row has a value."""
    return Expectation(f"{column} is never null", "ExpectColumnValuesToNotBeNull", {"column": column})


def unique(column: str) -> Expectation:
    """No two rows have the same value."""
    return Expectation(f"{column} is unique", "ExpectColumnValuesToBeUnique", {"column": column})


def between(column: str, least: Any, most: Any = None) -> Expectation:
    """Every value that is there lies in the closed interval."""
    text = f"{column} is {least} or more" if most is None else f"{column} lies between {least} and {most}"
    arguments = {"column": column, "min_value": least, "max_value": most}
    return Expectation(f"{text}, where known", "ExpectColumnValuesToBeBetween", arguments)


def row_count(least: int, most: int, of: str) -> Expectation:
    """The table has as many rows as another count says."""
    arguments = {"min_value": least, "max_value": most}
    return Expectation(f"rows are as many as {of}: {_range(least, most)}", "ExpectTableRowCountToBeBetween", arguments)


def total(column: str, least: int, most: int, of: str) -> Expectation:
    """The column adds up to what another count says."""
    arguments = {"column": column, "min_value": least, "max_value": most}
    text = f"{column} add up to the {of}: {_range(least, most)}"
    return Expectation(text, "ExpectColumnSumToBeBetween", arguments)


def _range(least: int, most: int) -> str:
    return f"{least:,}" if least == most else f"between {least:,} and {most:,}"


def findings(frame: pl.DataFrame, expectations: list[Expectation], *, key: str) -> list[Finding]:
    """One finding per expectation, in their order; `key` is the column that names a row."""
    # Read at import, once: nothing is reported to the library's makers.
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False, metric_calculations=False)
    asset = context.data_sources.add_pandas("lake").add_dataframe_asset("frame")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": _pandas(frame)})
    suite = gx.ExpectationSuite(
        name="suite",
        expectations=[
            getattr(gx.expectations, expectation.kind)(**expectation.arguments, meta={"place": place})
            for place, expectation in enumerate(expectations)
        ],
    )
    report = {"result_format": "SUMMARY", "unexpected_index_column_names": [key], "partial_unexpected_count": EXAMPLES}
    results = batch.validate(suite, result_format=report).results  # in an order of the library's own
    by_place = {
        (result.expectation_config.meta or {})["place"]: result for result in results if result.expectation_config
    }
    return [_finding(expectation, by_place[place], key) for place, expectation in enumerate(expectations)]


def _pandas(frame: pl.DataFrame) -> pd.DataFrame:
    """Great Expectations refuses Polars. Nullable counts become floats with NaN, which it takes as null."""
    return frame.to_pandas()


def _finding(expectation: Expectation, result: Any, key: str) -> Finding:
    found = result.result
    if not found:
        raised = next((str(value) for value in _messages(result.exception_info)), "no result")
        return Finding(expectation.rule, False, f"could not be evaluated: {shown(raised)}", 0, "")
    if "observed_value" in found:
        return Finding(
            expectation.rule, bool(result.success), f"{found['observed_value']:,}", int(not result.success), ""
        )
    bad, rows = int(found["unexpected_count"]), int(found["element_count"])
    column = expectation.arguments["column"]
    examples = ", ".join(
        shown(row[key]) if column == key else f"{shown(row[key])}: {shown(row.get(column))}"
        for row in found.get("partial_unexpected_index_list") or []
    )
    return Finding(expectation.rule, bool(result.success), f"{bad:,} of {rows:,} rows break it", bad, examples)


def _messages(exception_info: dict[str, Any]) -> list[Any]:
    """The messages in the two shapes that the library reports errors in: one, or one per metric."""
    entries = [exception_info, *(value for value in exception_info.values() if isinstance(value, dict))]
    return [entry["exception_message"] for entry in entries if entry.get("exception_message")]


def shown(value: Any) -> str:
    """A value from a trace as short, printable text; 'null' where there is none."""
    if value is None or value != value:  # NaN and NaT are pandas' nulls
        return "null"
    text = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in str(value))
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"

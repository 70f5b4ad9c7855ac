"""The runs behind a signal: read from the warehouse, made into observations as the detectors get them, and compared.

The observations come from the same stage as the detectors' own, so what is tested is what was watched, for every stream.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from pipelines.alerts.two_sample import TwoSample, of_rates, of_shares, of_values
from pipelines.runs import FACTS
from pipelines.stages.observe import BY_ENVIRONMENT, LEAN, PER_SUCCESS, observe
from pipelines.stages.rules import Declared
from warehouse import Warehouse

_QUERIES = Path(__file__).parent / "queries"
#: Runs compared on each side of the onset: enough for a narrow interval, few enough to read within a second.
MOST = 1000
#: Looked back so many days; further where that gives too few runs to compare with.
_DAYS, _MORE_DAYS, _TOO_FEW = 2, 14, 100
#: Runs read at once for signals that come together; each signal has up to twice `MOST`.
_AT_ONCE = 10_000
#: So long before the days looked back are spans read: a run that began there is whole, whatever it is read with.
_LONGEST_RUN = timedelta(days=1)
_CLOSED = pl.DataFrame(schema={"trace_id": pl.String, "closed_at": pl.Datetime("us")})
#: What others state later is not known to the detectors when a run closes, so it is not compared either.
_STATED_IN_TIME = "source <> 'topic' AND evaluated_span_id IS NULL AND response_id IS NULL"


@cache
def sql(name: str) -> str:
    """Return the text of ``queries/<name>.sql``."""
    return (_QUERIES / f"{name}.sql").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Sample:
    """Runs on both sides of a signal's onset.

    Attributes
    ----------
    runs : pl.DataFrame
        One row per run: trace_id, run_id, closed_at, is_after, and the candidates of `causes`.
    stream : pl.DataFrame
        Observations of the signal's own stream: trace_id, value, category, covariate, is_after, closed_at, run_id.
    calls_since : dict of str to int
        Calls since the onset, by tool.
    outcomes : pl.DataFrame
        trace_id and status (the latest one) of the runs whose outcome is known.
    """

    runs: pl.DataFrame
    stream: pl.DataFrame
    calls_since: dict[str, int]
    outcomes: pl.DataFrame


@dataclass(frozen=True, slots=True)
class _Read:
    """What several signals share: everything of the runs sampled for any of them."""

    tool_calls: pl.DataFrame
    outcomes: pl.DataFrame
    observed: pl.DataFrame


def samples_of(
    signals: list[dict[str, Any]],
    warehouse: Warehouse,
    timeout: timedelta,
    policies: pl.DataFrame,
    declared: Declared | None = None,
) -> Iterator[Sample]:
    """Read the runs around the onset of each signal, and give them in the signals' order.

    Signals that come together have mostly the same runs, so the spans are read and observed for several at once. A sample
    does not depend on which others are taken with it.

    Parameters
    ----------
    signals : list of dict
        Rows of the signals frame, with an onset.
    timeout : timedelta
        After which a run without a root closes.
    policies : pl.DataFrame
        catalog_policies.
    declared : Declared, optional
        What else the catalog says that rules are about.
    """
    connection = warehouse.connection
    together: list[tuple[dict[str, Any], pl.DataFrame]] = []
    closed = _CLOSED
    for signal in signals:
        runs = _runs(connection, signal, timeout)
        both = pl.concat([closed, runs.select(_CLOSED.columns)]).unique(maintain_order=True)
        # A run that grew between two alarms (late spans) stands in their samples with two closing times.
        if together and (len(both) > _AT_ONCE or both["trace_id"].n_unique() < len(both)):
            yield from _samples(together, closed, connection, policies, declared)
            together, both = [], runs.select(_CLOSED.columns)
        together.append((signal, runs))
        closed = both
    if together:
        yield from _samples(together, closed, connection, policies, declared)


def _samples(
    together: list[tuple[dict[str, Any], pl.DataFrame]],
    closed: pl.DataFrame,
    connection: duckdb.DuckDBPyConnection,
    policies: pl.DataFrame,
    declared: Declared | None,
) -> Iterator[Sample]:
    first = min(signal["onset_at"] for signal, _ in together) - timedelta(days=_MORE_DAYS) - _LONGEST_RUN
    read = _read(closed, first, connection, policies, declared)
    for signal, runs in together:
        yield _sample(signal, runs, read)


def _read(
    closed: pl.DataFrame,
    first: datetime,
    connection: duckdb.DuckDBPyConnection,
    policies: pl.DataFrame,
    declared: Declared | None,
) -> _Read:
    connection.register("sampled_runs", closed.to_arrow())
    try:
        columns = ", ".join(f's."{name}"' for name in LEAN)
        spans = connection.execute(_SPANS.format(columns=columns), [first, closed["closed_at"].max()]).pl()
        facts = {
            name: connection.execute(
                _FACTS.format(table=name, condition=_STATED_IN_TIME if name == "outcomes" else "true")
            ).pl()
            for name in FACTS
        }
    finally:
        connection.unregister("sampled_runs")
    observed = observe(spans, facts, closed.with_columns(late=pl.lit(False)), policies, declared)
    outcomes = (
        facts["outcomes"].sort("trace_id", "at", "outcome_id").unique("trace_id", keep="last", maintain_order=True)
    )
    return _Read(spans.filter(kind="tool").drop_nulls("tool_name"), outcomes.select("trace_id", "status"), observed)


def _sample(signal: dict[str, Any], runs: pl.DataFrame, read: _Read) -> Sample:
    kind = "continuous" if signal["kind"] == "spike" else signal["kind"]
    if signal["metric"] == PER_SUCCESS:  # what a success took is told by no run alone
        kind = ""
    mine = (pl.col("kind") == kind) & pl.all_horizontal(
        pl.col(name) == signal[name] for name in ("workflow", "family", "metric", "dimension")
    )
    stream = (
        read.observed.filter(mine)
        .select(trace_id="run_id", value="value", category="category", covariate="covariate")
        .join(runs.select("trace_id", "run_id", "closed_at", "is_after"), on="trace_id", maintain_order="left")
    )
    late = runs.filter("is_after").select("trace_id")
    called = read.tool_calls.join(late, on="trace_id", how="semi")["tool_name"]
    return Sample(
        runs=runs,
        stream=stream,
        calls_since=dict(called.value_counts(name="calls").sort("tool_name").iter_rows()),
        outcomes=read.outcomes.join(runs, on="trace_id", how="semi"),
    )


_SPANS = """
SELECT {columns}
FROM spans AS s JOIN sampled_runs AS r USING (trace_id)
WHERE s.started_at BETWEEN ? AND ? AND s.ended_at <= r.closed_at
    AND NOT list_has_any(coalesce(s.quality_flags, []), ['time_missing', 'time_out_of_range', 'replayed'])
ORDER BY s.trace_id, s.started_at, s.span_id
"""
_FACTS = """
SELECT * FROM {table} WHERE trace_id IN (SELECT trace_id FROM sampled_runs) AND {condition} ORDER BY ALL
"""


def _runs(connection: duckdb.DuckDBPyConnection, signal: dict[str, Any], timeout: timedelta) -> pl.DataFrame:
    is_of_tool = signal["family"] == "tool" and signal["kind"] != "rule" and signal["metric"] not in BY_ENVIRONMENT
    parameters = {
        "workflow": signal["workflow"],
        "onset": signal["onset_at"],
        "until": signal["at"],
        "timeout": timeout.total_seconds(),
        "tool": (signal["dimension"] or None) if is_of_tool else None,
        "most": MOST,
    }
    runs = connection.execute(sql("runs_around_onset"), {**parameters, "days": _DAYS}).pl()
    if runs.filter(~pl.col("is_after")).height < _TOO_FEW:
        runs = connection.execute(sql("runs_around_onset"), {**parameters, "days": _MORE_DAYS}).pl()
    return runs


def compared(sample: Sample, kind: str) -> TwoSample | None:
    """Return what the fitting test says about the stream's runs before and after the onset; None where there are too few."""
    stream = sample.stream
    if stream.is_empty() or kind not in ("continuous", "rate", "mix"):
        return None
    if kind == "mix":
        shares = _shares(stream)
        sides = [
            shares.filter(pl.col("is_after") == side).drop("trace_id", "is_after").to_numpy() for side in (False, True)
        ]
        return of_shares(*sides)
    values = _values(stream)
    before, after = (values.filter(pl.col("is_after") == side)["value"].to_numpy() for side in (False, True))
    if kind == "rate" and values["value"].is_in([0.0, 1.0]).all():
        return of_rates(int(before.sum()), len(before), int(after.sum()), len(after))
    return of_values(before, after)


def _values(stream: pl.DataFrame) -> pl.DataFrame:
    """One value per run; where the stream has covariates, as a multiple of its group's usual value."""
    values = means_of_runs(stream)
    usual = usual_of(values)
    if usual is None:
        return values
    return (
        values.join(usual, on="covariate", nulls_equal=True, maintain_order="left")
        .filter(pl.col("usual") > 0)
        .with_columns(pl.col("value") / pl.col("usual"))
    )


def means_of_runs(stream: pl.DataFrame) -> pl.DataFrame:
    """Return the mean value of each run, and its covariate."""
    keys = ["trace_id", "run_id", "closed_at", "is_after"]
    finite = stream.filter(pl.col("value").is_finite())
    return finite.group_by(*keys, maintain_order=True).agg(pl.col("value").mean(), pl.col("covariate").first())


def usual_of(values: pl.DataFrame) -> pl.DataFrame | None:
    """Return per covariate the median before the onset, ``usual``; None where all runs have the same one."""
    if values["covariate"].n_unique() < 2:
        return None
    return values.filter(~pl.col("is_after")).group_by("covariate").agg(usual=pl.col("value").median())


def _shares(stream: pl.DataFrame) -> pl.DataFrame:
    """One row per run with the share of each category in it, categories in order of name."""
    share = stream.group_by("trace_id", "is_after", "category").len()
    wide = share.sort("category").pivot("category", index=["trace_id", "is_after"], values="len").fill_null(0)
    names = [name for name in wide.columns if name not in ("trace_id", "is_after")]
    total = pl.sum_horizontal(names)
    return wide.with_columns(pl.col(name) / total for name in names).sort("trace_id")


def showing(sample: Sample, signal: dict[str, Any], most: int) -> list[str]:
    """Return runs since the onset that show the change, not just any of them.

    Numbers: the greatest where they rose, the least where they fell. Rates: the newest that are what became more frequent.
    Mixes: the newest with the category that gained most. Rules: the newest that broke it. Where a stream can't be made from
    runs alone, the newest.
    """
    stream = sample.stream
    since = stream.filter("is_after").sort("closed_at", "trace_id", descending=[True, False])
    runs = sample.runs.filter("is_after").sort("closed_at", "trace_id", descending=[True, False])
    if since.is_empty():
        shown = runs
    elif signal["kind"] == "rule":
        shown = since
    elif signal["kind"] == "mix":
        shown = since.filter(pl.col("category") == _gained(stream))
    elif signal["kind"] == "rate":
        shown = since.filter(pl.col("value") == (1.0 if (signal["effect"] or 0) >= 0 else 0.0))
    else:
        values = _values(stream)
        rose = (signal["effect"] or 0) >= 0
        shown = values.filter("is_after").sort("value", "closed_at", "trace_id", descending=[rose, True, False])
    return shown["run_id"].unique(maintain_order=True).head(most).to_list()


def _gained(stream: pl.DataFrame) -> str:
    """The category whose share of calls rose most."""
    sides = stream.group_by("category").agg(
        after=pl.col("is_after").sum() / pl.lit(max(stream["is_after"].sum(), 1)),
        before=(~pl.col("is_after")).sum() / pl.lit(max((~stream["is_after"]).sum(), 1)),
    )
    return sides.sort(pl.col("after") - pl.col("before"), "category", descending=[True, False])["category"][0]

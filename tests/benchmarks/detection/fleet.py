"""A fleet as docs/drift.md describes it: workflows with three tools each, every stream that a run of theirs tells."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import polars as pl

START = datetime(2026, 1, 5)
TOOLS = ("lookup_order", "check_eligibility", "issue_refund")
#: Streams of a workflow: the table "Streams" of docs/drift.md, one environment, what is per tool for each of three.
NUMBERS = (
    *("context_tokens", "input_tokens_per_call", "null_ratio", "steps_per_run", "duration_ms", "retries_per_run"),
    *("tool_calls_per_run", "cost_usd_per_run", "cost_usd_per_success", "cost_ratio_to_usual", "tokens_ratio_to_usual"),
    *("tokens_per_call", "cached_ratio", "runs_per_hour"),
)
RATES = (
    *("looped", "overridden", "success", "escalated", "any_tool_error", "unpriced", "wasted", "denied"),
    *("approval_skipped", "outdated_policy", "unknown_policy_version"),
)
MIXES = ("input_format", "retrieval_source", "path", "finish_reason", "tool_mix", "model_served")
COUNTS = ("steps_per_run", "retries_per_run", "tool_calls_per_run", "runs_per_hour")
STREAMS = [
    *(("continuous", name, "") for name in NUMBERS),
    *(("continuous", "tool_latency_ms", tool) for tool in TOOLS),
    *(("rate", name, "") for name in RATES),
    *(("rate", "tool_error", tool) for tool in TOOLS),
    *(("mix", name, "") for name in MIXES),
    *(("mix", "argument_shape", tool) for tool in TOOLS),
]
KINDS = [kind for kind, _, _ in STREAMS]
#: Categories of each mix, and observations of it that a run makes.
CATEGORIES = np.array([3, 10, 10, 3, 3, 2, 2, 2, 2])
PER_RUN = np.array([1, 3, 6, 1, 4, 1, 1, 1, 1])


def runs(
    rng: np.random.Generator, workflows: int, per_workflow: int, first_run: int, seconds: float, *, mixes: bool = True
) -> pl.DataFrame:
    """Give the observations of so many runs of each workflow, in the order of their time.

    Costs, tokens and durations are log-normal, counts Poisson, shares of yes 1 to 20 %, mixes of 2 to 10 categories.

    Parameters
    ----------
    first_run : int
        Runs of each workflow that came before.
    seconds : float
        Mean distance of a workflow's runs; each comes at a moment of its own.
    """
    step = np.timedelta64(round(seconds * 1e6), "us")
    number = np.repeat(np.arange(per_workflow), workflows)
    workflow = np.tile(np.arange(workflows), per_workflow)
    at = (
        np.datetime64(START, "us")
        + (first_run + number) * step
        + (rng.random(len(number)) * step.astype(float)).astype("timedelta64[us]")
    )
    order = np.argsort(at, kind="stable")
    at, workflow, number = at[order], workflow[order], number[order]
    kinds = np.array(KINDS)
    repeats = np.where(kinds == "mix", 0, 1)
    repeats[kinds == "mix"] = PER_RUN if mixes else 0
    stream = np.repeat(np.arange(len(STREAMS)), repeats)  # of each observation of one run
    shape = (len(at), len(stream))
    kind, metric = kinds[stream], np.array([name for _, name, _ in STREAMS])[stream]
    level = np.linspace(0.0, 8.0, len(stream))
    value = np.exp(rng.normal(level, 0.7, shape))
    counted = np.isin(metric, COUNTS)
    value[:, counted] = rng.poisson(5, (len(at), counted.sum()))
    rated = kind == "rate"
    value[:, rated] = rng.random((len(at), rated.sum())) < np.linspace(0.01, 0.2, rated.sum())
    categories = np.repeat(CATEGORIES, PER_RUN) if mixes else np.zeros(0, int)
    drawn = np.minimum(rng.geometric(2.0 / (1.0 + categories), (len(at), len(categories))), categories)
    category = np.full(shape, 0)
    category[:, kind == "mix"] = drawn
    rows, columns = np.divmod(np.arange(value.size), len(stream))
    names = pl.Series([f"workflow-{one}" for one in range(workflows)])
    labels = pl.Series([None, *(f"category {one}" for one in range(1, 11))], dtype=pl.String)
    families = pl.Series(["cost"])

    def of_stream(values: list[str]) -> pl.Series:
        return pl.Series(values).gather(stream[columns])

    run_ids = pl.Series(workflow).cast(pl.String) + "-" + pl.Series(first_run + number).cast(pl.String)
    return pl.DataFrame(
        {
            "at": pl.Series(at).gather(rows),
            "workflow": names.gather(workflow[rows]),
            "family": families.gather(np.zeros(len(rows), int)),
            "metric": of_stream([name for _, name, _ in STREAMS]),
            "dimension": of_stream([dimension for _, _, dimension in STREAMS]),
            "kind": of_stream(KINDS),
            "value": pl.Series(value.ravel()),
            "category": labels.gather(category.ravel()),
            "run_id": run_ids.gather(rows),
        }
    ).with_columns(value=pl.when(pl.col("kind") != "mix").then("value"))

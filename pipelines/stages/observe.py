"""Fourth stage: closed runs to observations, in event order.

Numbers (tokens, steps, cost, duration) and rates are one observation per run: calls within a run resemble each other, so
counting each would pass one odd run for independent evidence. Mixes give every call, source or transition; those of one run
stand together under its id, and the detectors weigh the run as one unit.
"""

from __future__ import annotations

import polars as pl

from pipelines.stages.observation import OBSERVATION_SCHEMA, arrival, continuous, mix, rate, spent
from pipelines.stages.rules import Declared, broken

#: What of a span the detectors need; open runs are held in these columns.
LEAN = [
    "trace_id",
    "span_id",
    "parent_span_id",
    "run_id",
    "workflow",
    "workflow_rank",
    "environment",
    "kind",
    "name",
    "status",
    "started_at",
    "ended_at",
    "duration_ms",
    "mode",
    "request_model",
    "response_model",
    "input_tokens",
    "cached_input_tokens",
    "output_tokens",
    "finish_reason",
    "cost_usd",
    "tool_name",
    "tool_arguments_shape",
    "tool_argument_fields",
    "tool_argument_nulls",
    "input_format",
    "tool_effect",
    "source_ids",
    "policy_version",
    "topic",
    "partition",
    "offset",
]


def observe(
    spans: pl.DataFrame,
    facts: dict[str, pl.DataFrame],
    closed: pl.DataFrame,
    policies: pl.DataFrame,
    declared: Declared | None = None,
) -> pl.DataFrame:
    """Return the observations of runs that have closed, sorted by (time, trace id, family, metric, dimension).

    Parameters
    ----------
    spans : pl.DataFrame
        All spans of those runs, columns ``LEAN``.
    facts : dict of str to pl.DataFrame
        outcomes, policy_decisions, approvals, overrides of those runs.
    closed : pl.DataFrame
        trace_id, closed_at (event time), late (bool): one row per run.
    policies : pl.DataFrame
        catalog_policies: policy, version, effective_at. Empty without a catalog.
    declared : Declared, optional
        What else the catalog says: the streams that are off, and what rules are about.

    Returns
    -------
    pl.DataFrame
        ``OBSERVATION_SCHEMA``.
    """
    declared = declared or Declared()
    # A shadow run acts on nothing: it must not move the picture of what the workflow does.
    turns = closed.sort("closed_at", "trace_id").with_row_index("turn")
    spans = spans.filter(pl.col("mode") != "shadow").join(turns, on="trace_id")
    if spans.is_empty():
        return pl.DataFrame(schema=OBSERVATION_SCHEMA)
    spans = spans.sort("trace_id", "started_at", "span_id")
    workflow = (
        spans.sort("trace_id", "workflow_rank", pl.col("parent_span_id").is_not_null(), "started_at", "span_id")
        .group_by("trace_id", maintain_order=True)
        .agg(pl.col("workflow").first().alias("run_workflow"))
    )
    spans = spans.join(workflow, on="trace_id").drop("workflow").rename({"run_workflow": "workflow"})
    runs = _runs(spans)
    priced = runs.filter(pl.col("unpriced") == 0)
    facts = {
        name: frame.drop("workflow").join(runs.select("trace_id", "workflow", "environment", *_OF_RUN), on="trace_id")
        for name, frame in facts.items()
    }
    steps = spans.filter(pl.col("kind").is_in(["model", "tool", "retrieval"])).with_columns(
        step=pl.when(pl.col("kind") == "tool").then(pl.coalesce("tool_name", pl.lit("tool"))).otherwise(pl.col("kind"))
    )
    tools = steps.filter(pl.col("kind") == "tool", pl.col("tool_name").is_not_null())
    sources = spans.select("trace_id", "workflow", *_OF_RUN, source="source_ids").drop_nulls("source").explode("source")
    first_calls = tools.unique(["trace_id", "tool_name"], keep="first", maintain_order=True)
    failing = first_calls.group_by("trace_id", maintain_order=True).agg(
        pl.col("workflow", *_OF_RUN).first(), environment=_environment(), hit=(pl.col("status") == "error").any()
    )
    parts = [
        arrival(runs, "data", "runs_per_hour"),
        continuous(runs, "data", "context_tokens", "context_tokens"),
        continuous(runs, "data", "input_tokens_per_call", "input_per_call"),
        mix(runs, "data", "input_format", "input_format"),
        continuous(runs, "data", "null_ratio", "null_ratio"),
        mix(sources.drop_nulls("source"), "data", "retrieval_source", "source"),
        continuous(runs, "behavior", "steps_per_run", "steps"),
        mix(_transitions(steps), "behavior", "path", "transition"),
        continuous(runs, "behavior", "duration_ms", "run_duration_ms"),
        mix(spans.filter(pl.col("kind") == "model"), "behavior", "finish_reason", "finish_reason"),
        *_repetition(tools),
        rate(runs, "behavior", "overridden", pl.col("trace_id").is_in(facts["overrides"]["trace_id"].to_list())),
        *_of_outcomes(facts["outcomes"], runs),
        rate(failing, "tool", "any_tool_error", pl.col("hit")),
        rate(first_calls, "tool", "tool_error", pl.col("status") == "error", dimension="tool_name"),
        rate(
            failing.drop_nulls("environment"),
            "tool",
            "tool_error_by_environment",
            pl.col("hit"),
            dimension="environment",
        ),
        mix(tools, "tool", "tool_mix", "tool_name"),
        mix(tools, "tool", "argument_shape", "tool_arguments_shape", dimension="tool_name"),
        continuous(runs, "tool", "tool_calls_per_run", "tool_calls"),
        continuous(_latency(tools), "tool", "tool_latency_ms", "latency_ms", dimension="tool_name"),
        rate(runs.filter(pl.col("with_usage") > 0), "cost", "unpriced", pl.col("unpriced") > 0),
        continuous(priced, "cost", "cost_usd_per_run", "cost_usd"),
        continuous(runs, "cost", "tokens_per_call", "tokens_per_call"),
        continuous(runs, "cost", "cached_ratio", "cached_ratio"),
        continuous(priced, "cost", "cost_ratio_to_usual", "cost_usd", covariate=pl.col("alike")),
        continuous(runs, "cost", "tokens_ratio_to_usual", "tokens_per_call", covariate=pl.col("alike")),
        continuous(
            priced.drop_nulls("environment"), "cost", "cost_usd_by_environment", "cost_usd", dimension="environment"
        ),
        mix(runs, "cost", "model_served", "model"),
        *_policy_rates(facts, runs, policies),
    ]
    if not declared.off.is_empty():
        parts = [
            part.join(declared.off, on=["workflow", "metric"], how="anti", maintain_order="left") for part in parts
        ]
    parts += broken(spans, tools, facts, policies, declared)
    # One sort by a number: the parts stand in order of family and metric, each in order of dimension. Stable, so within a
    # run and stream the rows stay in the order of its spans.
    parts.sort(key=lambda part: part.select("family", "metric").head(1).rows())
    ordered = [
        part.sort("dimension", maintain_order=True) if part["dimension"].n_unique() > 1 else part for part in parts
    ]
    return pl.concat(ordered).sort("turn", maintain_order=True).drop("turn")


#: Watched where a workflow has several environments: each by itself.
BY_ENVIRONMENT = ("cost_usd_by_environment", "success_by_environment", "tool_error_by_environment")
#: Watched where a workflow has several models or tasks: as a multiple of what is usual for runs of the same.
TO_USUAL = ("cost_ratio_to_usual", "tokens_ratio_to_usual")
#: Watched as the cost of all runs since the success before: what a success took.
PER_SUCCESS = "cost_usd_per_success"
#: As many calls of one tool with one argument shape make a run a loop.
LOOP_CALLS = 3
#: What every observation takes from its run; ``turn`` is the run's place by (closed_at, trace_id).
_OF_RUN = ("closed_at", "late", "turn")


def _runs(spans: pl.DataFrame) -> pl.DataFrame:
    model = pl.col("kind") == "model"
    used = model & (pl.col("input_tokens").is_not_null() | pl.col("output_tokens").is_not_null())
    called = used & pl.col("input_tokens").is_not_null()
    total = pl.col("input_tokens").filter(called).sum()
    return (
        spans.group_by("trace_id", maintain_order=True)
        .agg(
            pl.col("workflow").first(),
            pl.col(_OF_RUN).first(),
            pl.col("policy_version").drop_nulls().first(),
            environment=_environment(),
            input_format=pl.col("input_format").drop_nulls().first(),
            null_ratio=pl.when(pl.col("tool_argument_fields").sum() > 0).then(
                pl.col("tool_argument_nulls").sum() / pl.col("tool_argument_fields").sum()
            ),
            task=pl.col("name").filter(pl.col("parent_span_id").is_null()).first(),
            run_started_at=pl.col("started_at").min(),
            steps=pl.col("kind").is_in(["model", "tool", "retrieval"]).sum().cast(pl.Float64),
            tool_calls=(pl.col("kind") == "tool").sum().cast(pl.Float64),
            with_usage=used.sum(),
            context_tokens=pl.col("input_tokens").filter(called).max(),
            run_duration_ms=(pl.col("ended_at").max() - pl.col("started_at").min()).dt.total_microseconds() / 1000,
            input_per_call=pl.col("input_tokens").filter(called).mean(),
            tokens_per_call=(pl.col("input_tokens").fill_null(0) + pl.col("output_tokens").fill_null(0))
            .filter(used)
            .mean(),
            cached_ratio=pl.when((total > 0) & (pl.col("cached_input_tokens").filter(called).count() > 0)).then(
                pl.col("cached_input_tokens").filter(called).sum() / total
            ),
            unpriced=(used & pl.col("cost_usd").is_null()).sum(),
            cost_usd=pl.when(used.any()).then(pl.col("cost_usd").filter(used).sum()),
            model=pl.coalesce("response_model", "request_model").filter(model).drop_nulls().first(),
        )
        .with_columns(alike=pl.concat_str(pl.col("model", "task").fill_null("?"), separator=" / "))
    )


def _environment() -> pl.Expr:
    """The environment of a run; the first where its spans name several."""
    return pl.col("environment").drop_nulls().first()


def _transitions(steps: pl.DataFrame) -> pl.DataFrame:
    return steps.with_columns(
        transition=pl.col("step").shift(1).over("trace_id").fill_null("start") + pl.lit(" > ") + pl.col("step")
    )


def _latency(tools: pl.DataFrame) -> pl.DataFrame:
    """Return the median duration of a run's calls, per run and tool; calls of no known duration are left out."""
    return (
        tools.drop_nulls("duration_ms")
        .group_by("trace_id", "tool_name", maintain_order=True)
        .agg(pl.col("workflow", *_OF_RUN).first(), latency_ms=pl.col("duration_ms").median())
    )


def _repetition(tools: pl.DataFrame) -> list[pl.DataFrame]:
    """Return, of every run with a tool call, whether it looped and how often it called a tool again after an error."""
    # A call of unknown argument shape equals no other: it can't tell a loop.
    told = pl.col("tool_arguments_shape").is_not_null()
    same = ["trace_id", "tool_name", "tool_arguments_shape"]
    before = ["trace_id", "tool_name"]
    # What began before the error was known runs beside it: that is no second try.
    after_error = (pl.col("status").shift(1).over(before) == "error") & (
        pl.col("ended_at").shift(1).over(before) <= pl.col("started_at")
    )
    runs = (
        tools.with_columns(alike=pl.when(told).then(pl.len().over(same)), again=after_error.fill_null(False))
        .group_by("trace_id", maintain_order=True)
        .agg(
            pl.col("workflow", *_OF_RUN).first(),
            alike=pl.col("alike").max(),
            retries=pl.col("again").sum().cast(pl.Float64),
        )
    )
    return [
        rate(runs.drop_nulls("alike"), "behavior", "looped", pl.col("alike") >= LOOP_CALLS),
        continuous(runs, "behavior", "retries_per_run", "retries"),
    ]


def _of_outcomes(outcomes: pl.DataFrame, costs: pl.DataFrame) -> list[pl.DataFrame]:
    runs = outcomes.sort("trace_id", "at", "outcome_id").unique("trace_id", keep="last", maintain_order=True)
    # What is priced of a run says that it cost money; only a wholly priced one can be known to have cost nothing.
    known = costs.filter((pl.col("cost_usd") > 0) | ((pl.col("cost_usd") == 0) & (pl.col("unpriced") == 0)))
    paid = runs.join(known.select("trace_id", "cost_usd"), on="trace_id", maintain_order="left")
    return [
        rate(runs, "behavior", "success", pl.col("status") == "success"),
        rate(
            runs.drop_nulls("environment"),
            "behavior",
            "success_by_environment",
            pl.col("status") == "success",
            dimension="environment",
        ),
        rate(runs, "behavior", "escalated", pl.col("status") == "escalated"),
        spent(paid.drop_nulls("cost_usd"), "cost", PER_SUCCESS, "cost_usd", "status"),
        rate(paid, "cost", "wasted", (pl.col("cost_usd") > 0) & (pl.col("status") != "success")),
    ]


def _policy_rates(facts: dict[str, pl.DataFrame], runs: pl.DataFrame, policies: pl.DataFrame) -> list[pl.DataFrame]:
    def any_in(frame: pl.DataFrame, column: str, value: str) -> pl.DataFrame:
        return frame.group_by("trace_id", maintain_order=True).agg(
            pl.col("workflow", *_OF_RUN).first(), hit=(pl.col(column) == value).any()
        )

    denied = any_in(facts["policy_decisions"], "action", "deny")
    skipped = any_in(facts["approvals"], "status", "bypassed")
    parts = [
        rate(denied, "policy", "denied", pl.col("hit")),
        rate(skipped, "policy", "approval_skipped", pl.col("hit")),
    ]
    parts.append(_unknown_versions(facts["policy_decisions"], policies))
    in_force = policies.drop_nulls("effective_at")
    decisions = facts["policy_decisions"].filter(pl.col("policy").is_in(in_force["policy"].to_list()))
    if not decisions.is_empty():
        current = (
            decisions.with_row_index("row")
            .join(in_force, on="policy")
            .filter(pl.col("effective_at") <= pl.col("at"))
            .sort("row", "effective_at")
            .group_by("trace_id", "row", maintain_order=True)
            .agg(
                pl.col("workflow", *_OF_RUN, "policy_version").first(),
                in_force=pl.col("version").last(),
            )
            .group_by("trace_id", maintain_order=True)
            .agg(
                pl.col("workflow", *_OF_RUN).first(),
                hit=(pl.col("policy_version") != pl.col("in_force")).any(),
            )
        )
        parts.append(rate(current, "policy", "outdated_policy", pl.col("hit")))
    return parts


def _unknown_versions(decisions: pl.DataFrame, policies: pl.DataFrame) -> pl.DataFrame:
    """Return, of every run decided by a policy of the catalog in a stated version, whether the catalog lacks that version.

    A policy that the catalog does not name, and a decision without a version, say nothing.
    """
    known = policies.select("policy", policy_version="version", is_known=pl.lit(True)).unique(maintain_order=True)
    runs = (
        decisions.drop_nulls("policy_version")
        .join(policies.select("policy").unique(), on="policy", how="semi", maintain_order="left")
        .join(known, on=["policy", "policy_version"], how="left", maintain_order="left")
        .group_by("trace_id", maintain_order=True)
        .agg(pl.col("workflow", *_OF_RUN).first(), hit=pl.col("is_known").is_null().any())
    )
    return rate(runs, "policy", "unknown_policy_version", pl.col("hit"))

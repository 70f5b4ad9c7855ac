"""Facts that spans state in events or attributes: outcomes, policy decisions, approvals, rollbacks, overrides."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from pipelines.contracts.dialects import event_aliases
from pipelines.stages.attributes import Keyed, pivot
from pipelines.stages.decode import Decoded

#: A score counts as success from here where no label says so and the catalog sets no threshold (score in [0, 1]).
SCORE_THRESHOLD = 0.5
_PASS = ["pass", "passed", "success", "true", "correct", "ok"]
_FAIL = ["fail", "failed", "failure", "false", "incorrect", "error"]
_PLACE = ["topic", "partition", "offset"]
_SPAN = ["trace_id", "span_id", "workflow", *_PLACE]


def span_facts(decoded: Decoded, spans: pl.DataFrame, keyed: Keyed, of_events: Keyed) -> dict[str, pl.DataFrame]:
    """Return the fact tables' rows of one batch, by table name.

    Parameters
    ----------
    decoded : Decoded
    spans : pl.DataFrame
        The batch's spans with canonical names, row for row as decoded.
    keyed, of_events : Keyed
        The attributes of the spans and of the events.
    """

    def stated(event: str, needed: str | None) -> pl.DataFrame:
        return _stated(decoded, spans, keyed, of_events, event, needed)

    policy = stated("plumbline.policy.decision", "action")
    approval = stated("plumbline.approval", "status")
    rollback = stated("plumbline.rollback", "kind")
    override = stated("plumbline.override", None)
    return {
        "outcomes": _outcomes(stated),
        "policy_decisions": policy.select(
            *_keys(),
            pl.coalesce("policy", pl.lit("unnamed")).alias("policy"),
            pl.coalesce("policy_version", "span_policy_version").alias("policy_version"),
            "rule",
            pl.col("action").str.to_lowercase(),
            "enforced",
            "at",
            *_PLACE,
        ),
        "approvals": approval.select(
            *_keys(), pl.col("status").str.to_lowercase(), "decided_by", "tool_name", "at", *_PLACE
        ),
        "rollbacks": rollback.select(
            *_keys(),
            "kind",
            "trigger_reason",
            pl.col("drill").fill_null(False),
            _moment("completed_at"),
            "status",
            "at",
            *_PLACE,
        ),
        "overrides": override.select(*_keys(), "decided_by", "at", *_PLACE),
    }


def _keys() -> list[pl.Expr]:
    return [pl.col("trace_id"), pl.col("span_id"), pl.col("trace_id").alias("run_id"), pl.col("workflow")]


def _moment(column: str) -> pl.Expr:
    text = pl.col(column)
    nanoseconds = text.cast(pl.Int64, strict=False)
    written = text.str.to_datetime(time_unit="us", time_zone="UTC", strict=False).dt.replace_time_zone(None)
    return pl.coalesce(written, (nanoseconds // 1000).cast(pl.Datetime("us"))).alias(column)


def _stated(
    decoded: Decoded, spans: pl.DataFrame, keyed: Keyed, of_events: Keyed, event: str, needed: str | None
) -> pl.DataFrame:
    """Rows of one event name, and of spans that carry its attributes themselves, with the span's columns."""
    aliases = event_aliases()[event]
    own = spans.select(
        *_SPAN,
        "parent_span_id",
        "session_id",
        "tool_name",
        span_policy_version="policy_version",
        span_kind="kind",
        at="ended_at",
    )
    columns, _ = pivot(of_events, len(decoded.events), aliases)
    at = (pl.col("at_ns") // 1000).cast(pl.Int64, strict=False).cast(pl.Datetime("us"))
    events = decoded.events.rename({"name": "event"}).hstack(columns).filter(pl.col("event") == event)
    of_event = events.select(*columns.columns, at.alias("at"))
    parts = [own.drop("at")[events["span"]].hstack(of_event)]
    aliases = aliases.filter(pl.col("column") != "response_id")  # on a span it names the span's own response
    if keyed.holds(aliases["key"]):
        on_span, _ = pivot(keyed, len(spans), aliases)
        said = on_span.select(pl.any_horizontal(pl.all().is_not_null())).to_series()
        parts.append(own.filter(said).hstack(on_span.filter(said)))
    both = pl.concat(parts, how="diagonal")
    return both if needed is None else both.filter(pl.col(needed).is_not_null())


def _outcomes(stated: Callable[[str, str | None], pl.DataFrame]) -> pl.DataFrame:
    evaluation = stated("gen_ai.evaluation.result", None)
    label = pl.col("label").str.to_lowercase()
    # An evaluation of the whole run sits on its root; those of single calls are no outcome. One that comes later sits in an
    # evaluation span, a child of what it speaks of or in a trace of its own with the response's id: marts find its run.
    later, is_root = pl.col("span_kind") == "evaluation", pl.col("parent_span_id").is_null()
    judged = evaluation.filter(is_root | later).select(
        *_SPAN,
        pl.when(later).then("parent_span_id").alias("evaluated_span_id"),
        pl.when(later & is_root).then("response_id").alias("response_id"),
        "session_id",
        "name",
        "score",
        "at",
        pl.lit(None, dtype=pl.Float64).alias("value_usd"),
        pl.lit("evaluation").alias("source"),
        pl.when(label.is_in(_PASS))
        .then(pl.lit("success"))
        .when(label.is_in(_FAIL))
        .then(pl.lit("failure"))
        .when(pl.col("score") >= SCORE_THRESHOLD)
        .then(pl.lit("success"))
        .when(pl.col("score") < SCORE_THRESHOLD)
        .then(pl.lit("failure"))
        .alias("status"),
    )
    event = stated("plumbline.outcome", "status")
    declared = event.select(
        *_SPAN,
        "session_id",
        "name",
        pl.lit(None, dtype=pl.Float64).alias("score"),
        "at",
        "value_usd",
        pl.lit(None, dtype=pl.String).alias("evaluated_span_id"),
        pl.lit(None, dtype=pl.String).alias("response_id"),
        pl.lit("span").alias("source"),
        pl.col("status").str.to_lowercase(),
    )
    both = pl.concat([judged, declared], how="diagonal").filter(
        pl.col("status").is_in(["success", "failure", "escalated", "abandoned"])
    )
    return both.select(
        outcome_id=pl.concat_str(
            "trace_id", "span_id", pl.col("source"), pl.col("name").fill_null(""), separator=":"
        ).str.head(300),
        run_id=pl.when(pl.coalesce("evaluated_span_id", "response_id").is_null()).then("trace_id"),
        trace_id="trace_id",
        session_id="session_id",
        evaluated_span_id="evaluated_span_id",
        response_id="response_id",
        workflow="workflow",
        status="status",
        name="name",
        value_usd="value_usd",
        score="score",
        at="at",
        source="source",
        span_id="span_id",
        topic="topic",
        partition="partition",
        offset="offset",
    )

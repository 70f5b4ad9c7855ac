"""Second stage: any dialect's attributes to the canonical span columns, with a flag for each oddity.

Nothing is refused here: what is out of range becomes null and the span carries a flag in ``quality_flags``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b

import polars as pl

from pipelines.contracts.content import ContentPolicy
from pipelines.contracts.dialects import kept_keys, kinds, span_aliases
from pipelines.stages.attributes import Keyed, pivot
from pipelines.stages.counts import counted
from pipelines.stages.decode import Decoded
from pipelines.stages.embedded import embedded
from pipelines.stages.facts import span_facts
from pipelines.stages.failures import with_failures
from pipelines.stages.gaps import package_gaps
from pipelines.stages.mask import pseudonymised
from pipelines.stages.naming import named
from pipelines.stages.protect import protected
from pipelines.stages.requests import requested_tools
from pipelines.stages.rest import rest_json
from pipelines.stages.shapes import digests, shape

#: Spans before this are clock errors: no agent instrumentation existed.
EARLIEST = datetime(2015, 1, 1)
#: How far ahead of the reader's clock a span may be before it is a clock error.
AHEAD = timedelta(days=1)

_FROM_RESOURCE = (
    "workflow",
    "agent",
    "agent_version",
    "prompt_version",
    "policy_version",
    "release",
    "environment",
    "team",
    "cost_center",
    "mode",
    "service_name",
    "service_version",
    "session_id",
)
#: Every other text column: names, versions and ids.
_TEXTS = (
    "trace_id",
    "span_id",
    "parent_span_id",
    "session_id",
    "workflow",
    "agent",
    "agent_version",
    "prompt_version",
    "policy_version",
    "release",
    "environment",
    "team",
    "cost_center",
    "mode",
    "error_type",
    "provider",
    "request_model",
    "response_model",
    "finish_reason",
    "service_tier",
    "tool_name",
    "tool_call_id",
    "tool_effect",
    "compensates",
    "source_ids",
)
#: What facts take over from their span, where it is clean already.
_FROM_SPAN = ("trace_id", "span_id", "run_id", "workflow", "session_id", "topic")
KEEP_ALL = ContentPolicy()
_LATEST_NS = 9_223_372_036_000_000_000


@dataclass(frozen=True, slots=True)
class Normalised:
    """Canonical spans, and the facts that their events and attributes state.

    Attributes
    ----------
    spans : pl.DataFrame
        One row per span, the columns of the warehouse table ``spans`` but for cost.
    facts : dict of str to pl.DataFrame
        Rows for the tables outcomes, policy_decisions, approvals, rollbacks, overrides, tool_requests.
    """

    spans: pl.DataFrame
    facts: dict[str, pl.DataFrame]


def normalise(
    decoded: Decoded,
    messages: pl.DataFrame,
    *,
    now: datetime,
    max_attribute_bytes: int,
    policy: ContentPolicy = KEEP_ALL,
    hash_key: str = "",
) -> Normalised:
    """Return the canonical form of a decoded batch.

    Parameters
    ----------
    decoded : Decoded
    messages : pl.DataFrame
        The batch that was decoded, for topic, partition, offset and file.
    now : datetime
        The reader's clock, UTC without zone: a span more than a day ahead of it has a broken clock.
    max_attribute_bytes : int
        Longer attribute values are cut and flagged, in bytes.
    policy : ContentPolicy
        What may be stored of what people and tools said, per workflow as the span itself names it.
    hash_key : str
        Keys the digests that stand in for hashed content and for ids that hold a secret.
    """
    rows = len(decoded.spans)
    keyed, of_resources = Keyed(decoded.attributes), Keyed(decoded.resource_attributes)
    of_events = Keyed(decoded.event_attributes)
    columns, used = pivot(keyed, rows, span_aliases())
    for key in kept_keys():
        for code in keyed.spellings.get(key, ()):
            used[keyed.rows(code)] = False
    resources = int(decoded.spans["resource"].max() or 0) + 1  # pyright: ignore[reportArgumentType]
    resource_columns, resource_used = pivot(
        of_resources, resources, span_aliases().filter(pl.col("column").is_in(_FROM_RESOURCE))
    )
    of_resource = decoded.spans["resource"]
    frame = decoded.spans.hstack(_merged(columns, embedded(keyed, rows))).hstack(
        resource_columns.select(pl.all().gather(of_resource).name.prefix("resource_"))
    )
    message = messages.select("topic", "partition", "offset", "source_file").select(
        pl.all().gather(decoded.spans["message"])
    )
    frame = frame.hstack(message)
    frame = frame.with_columns(
        pl.coalesce(name, f"resource_{name}").alias(name) for name in _FROM_RESOURCE
    ).with_columns(kind=_kind(frame))
    frame = named(frame, decoded)
    own, shared, told = protected(
        (keyed, ~used), (of_resources, ~resource_used), of_events, decoded.events, frame, policy, hash_key
    )
    rest, cut = rest_json(decoded, own, shared, told, max_attribute_bytes)
    frame = frame.with_columns(attributes=rest, cut=cut)
    frame = _identified(frame, messages["value"])
    frame = _timed(frame, now)
    frame = counted(frame)
    frame = with_failures(frame.with_columns(package_gaps(frame.select("scope", "scope_version"))), keyed)
    frame = pseudonymised(frame, _TEXTS, hash_key)
    facts = {**span_facts(decoded, frame, keyed, of_events), "tool_requests": _tool_requests(frame, keyed)}
    facts = {
        name: pseudonymised(stated, [column for column in stated.columns if column not in _FROM_SPAN], hash_key)
        for name, stated in facts.items()
    }
    return Normalised(frame.select(_canonical(now)), facts)


def _merged(columns: pl.DataFrame, inside: dict[str, pl.Series]) -> pl.DataFrame:
    """Canonical columns with what JSON texts say where no attribute of its own does."""
    if not inside:
        return columns
    merged = columns.with_columns(
        columns[name].fill_null(values) if name in columns.columns else values for name, values in inside.items()
    )
    if "invoked_model" not in inside:
        return merged
    # OpenInference's model_name is the model that answered where the request's is told apart from it.
    asked = pl.col("invoked_model").is_not_null()
    return merged.with_columns(
        request_model=pl.coalesce("invoked_model", "request_model"),
        response_model=pl.coalesce("response_model", pl.when(asked).then(pl.col("request_model"))),
    )


def _kind(frame: pl.DataFrame) -> pl.Expr:
    def by(column: str, table: dict[str, str]) -> pl.Expr:
        # Vercel's operation.name ends with the name of the function.
        word = pl.col(column).str.to_lowercase().str.split(" ").list.first()
        return word.replace_strict(table, default=None, return_dtype=pl.String)

    return pl.coalesce(
        *(by(column, table) for column, table in kinds().items() if frame[column].null_count() < len(frame)),
        pl.when(pl.col("tool_name").is_not_null()).then(pl.lit("tool")),
        # An agent span of older packages repeats the model's name and its children's usage: the agent's name decides.
        pl.when(
            pl.col("agent").is_not_null() & pl.col("operation").is_null() & pl.col("resource_agent").is_null()
        ).then(pl.lit("agent")),
        pl.when(pl.col("request_model").is_not_null()).then(pl.lit("model")),
        pl.lit("other"),
    )


def _identified(frame: pl.DataFrame, values: pl.Series) -> pl.DataFrame:
    """Pad short ids as 64-bit tracers are, and give spans without any id one that follows from their message's content."""
    anonymous = frame.select((pl.col("trace_id") == "") | (pl.col("span_id") == "")).to_series()
    digest = pl.Series([None], dtype=pl.String).new_from_index(0, len(frame))
    if anonymous.any():
        rows = frame.filter(anonymous)
        sent = {row: blake2b(values[row], digest_size=8).hexdigest() for row in rows["message"].unique()}
        # The same message sent again gives the same ids; like spans of different messages, or twice in one, stay apart.
        origin = pl.col("message").replace_strict(sent, return_dtype=pl.String)
        number = pl.int_range(pl.len()).over("message")
        content = pl.concat_str(origin, number, "name", "started_ns", "trace_id", "span_id", separator="\x1f")
        digest = digest.scatter(anonymous.arg_true(), digests(rows.select(content).to_series()))
    return frame.with_columns(
        bad_trace_id=pl.col("trace_id").str.len_bytes() != 32,
        bad_span_id=pl.col("span_id").str.len_bytes() != 16,
        trace_id=pl.when(pl.col("trace_id") == "")
        .then(pl.lit(digest).str.zfill(32))
        .otherwise(pl.col("trace_id").str.zfill(32).str.head(64)),
        span_id=pl.when(pl.col("span_id") == "")
        .then(pl.lit(digest))
        .otherwise(pl.col("span_id").str.zfill(16).str.head(64)),
        parent_span_id=pl.when(pl.col("parent_span_id").str.strip_chars("0") != "").then(
            pl.col("parent_span_id").str.zfill(16).str.head(64)
        ),
    )


def _timed(frame: pl.DataFrame, now: datetime) -> pl.DataFrame:
    def at(column: str) -> pl.Expr:
        bounded = pl.min_horizontal(pl.col(column), pl.lit(_LATEST_NS, dtype=pl.UInt64))
        return (bounded // 1000).cast(pl.Int64).cast(pl.Datetime("us"))

    frame = frame.with_columns(
        started_at=at("started_ns"),
        ended_at=pl.when(pl.col("ended_ns") == 0).then(at("started_ns")).otherwise(at("ended_ns")),
        time_missing=(pl.col("started_ns") == 0) | (pl.col("ended_ns") == 0),
    )
    outside = [~pl.col(name).is_between(EARLIEST, now + AHEAD) for name in ("started_at", "ended_at")]
    return frame.with_columns(
        time_out_of_range=pl.any_horizontal(outside),
        negative_duration=pl.col("ended_at") < pl.col("started_at"),
        duration_ms=pl.when(~pl.col("time_missing") & (pl.col("ended_at") >= pl.col("started_at"))).then(
            (pl.col("ended_ns") - pl.col("started_ns")).cast(pl.Float64) / 1e6
        ),
    )


def _tool_requests(frame: pl.DataFrame, keyed: Keyed) -> pl.DataFrame:
    """Rows of the fact table of that name."""
    asked = requested_tools(keyed, frame["kind"])
    shapes = digests(asked.select(shape(pl.col("arguments"))).to_series()).alias("arguments_shape")
    of_span = frame.select("trace_id", "span_id", "workflow", "topic", "partition", "offset", at="ended_at")[
        asked["span"]
    ]
    return of_span.with_columns(asked["position"], asked["tool_name"], asked["tool_call_id"], shapes, run_id="trace_id")


def _canonical(now: datetime) -> list[pl.Expr]:
    flags = {
        "invalid_trace_id": "bad_trace_id",
        "invalid_span_id": "bad_span_id",
        "time_missing": "time_missing",
        "time_out_of_range": "time_out_of_range",
        "negative_duration": "negative_duration",
        "invalid_tokens": "invalid_tokens",
        "cached_beside_input": "cached_beside_input",
        "audio_beside_text": "audio_beside_text",
        "error_reported_ok": "error_reported_ok",
        "error_status_unset": "error_status_unset",
        "lenient_json": "lenient_json",
        "attribute_cut": "cut",
    }
    raised = pl.concat_list(pl.when(pl.col(column)).then(pl.lit(flag)) for flag, column in flags.items())
    plain = [
        "trace_id",
        "span_id",
        "parent_span_id",
        "session_id",
        "workflow",
        "workflow_rank",
        "agent",
        "agent_version",
        "prompt_version",
        "policy_version",
        "release",
        "environment",
        "team",
        "cost_center",
        "mode",
        "kind",
        "name",
        "status",
        "error_type",
        "started_at",
        "ended_at",
        "duration_ms",
        "provider",
        "request_model",
        "response_model",
        "input_tokens",
        "cached_input_tokens",
        "cache_write_tokens",
        "output_tokens",
        "reasoning_tokens",
        "input_audio_tokens",
        "cached_input_audio_tokens",
        "output_audio_tokens",
        "finish_reason",
        "service_tier",
        "tool_name",
        "tool_call_id",
        "tool_arguments_shape",
        "tool_argument_fields",
        "tool_argument_nulls",
        "input_format",
        "tool_effect",
        "compensates",
        "source_ids",
        "dialect",
        "scope",
        "scope_version",
        "package_gaps",
        "attributes",
        "source_file",
        "topic",
        "partition",
        "offset",
    ]
    return [
        *(pl.col(name) for name in plain),
        pl.col("trace_id").alias("run_id"),
        raised.list.drop_nulls().alias("quality_flags"),
        pl.lit(now, dtype=pl.Datetime("us")).alias("ingested_at"),
    ]

"""Names of a span: its workflow, agent, tool and provider, the dialect it is written in, and what failed by its events."""

from __future__ import annotations

import polars as pl

from pipelines.contracts.dialects import dialects
from pipelines.stages.decode import Decoded
from pipelines.stages.mask import LONGEST_NAME, cut_name, masked
from pipelines.stages.shapes import MOST_INPUT, digests, fields, formats, nulls, shape


def named(frame: pl.DataFrame, decoded: Decoded) -> pl.DataFrame:
    """Return the pivoted frame with its names made whole.

    Parameters
    ----------
    frame : pl.DataFrame
        The columns of the alias table, and kind.
    decoded : Decoded
        For exception events, and for messages that only the lenient reader could read.
    """
    entity = pl.coalesce("entity_name", "name")
    frame = frame.with_columns(
        agent=pl.coalesce("agent", pl.when(pl.col("kind") == "agent").then("entity_name")),
        # A tool span whose package has no key for the tool's name is named after it.
        tool_name=pl.coalesce(
            "tool_name",
            pl.when((pl.col("kind") == "tool") & (entity != "")).then(
                entity.str.replace(r"^(?:execute_tool|running tool:?) ", "").str.strip_suffix(".tool").str.head(200)
            ),
        ),
        provider=_provider(frame),
        exception_type=_exceptions(decoded, len(frame)),
        lenient_json=pl.col("message").is_in(decoded.mended) if decoded.mended else pl.lit(False),
    )
    called = (frame["kind"] == "tool") & frame["tool_arguments"].is_not_null()
    arguments = _where(frame, called, shape(pl.col("tool_arguments")))
    asked = frame["input"].is_not_null() & frame["kind"].is_in(["run", "agent", "model"])
    return frame.with_columns(
        workflow_rank=pl.when(pl.col("workflow").is_not_null())
        .then(1)
        .when(pl.col("agent").is_not_null())
        .then(2)
        .when(pl.col("service_name").is_not_null())
        .then(3)
        .otherwise(4)
        .cast(pl.Int8),
        workflow=pl.coalesce("workflow", "agent", "service_name", pl.lit("unknown")).str.head(200),
        release=pl.coalesce("release", "service_version"),
        status=pl.col("status_code").replace_strict({0: "unset", 1: "ok", 2: "error"}, return_dtype=pl.String),
        mode=pl.col("mode").str.to_lowercase().fill_null("live"),
        dialect=_dialect(frame),
        tool_arguments_shape=digests(arguments),
        tool_argument_fields=fields(arguments),
        tool_argument_nulls=_where(frame, called, nulls(pl.col("tool_arguments")), pl.Int32),
        input_format=formats(_where(frame, asked, pl.col("input").str.head(MOST_INPUT))),
        tool_effect=pl.col("tool_effect").str.to_lowercase(),
        name=cut_name(masked(pl.col("name").str.head(4 * LONGEST_NAME))),
    )


def _dialect(frame: pl.DataFrame) -> pl.Expr:
    signs = [
        pl.when(pl.col(column) == value if value else pl.col(column).is_not_null()).then(pl.lit(dialect))
        for dialect, _, column, value in dialects().iter_rows()
        if frame[column].null_count() < len(frame)
    ]
    return pl.coalesce(*signs, pl.lit("unknown"))


#: Vercel's names of providers (the part before the dot: ``anthropic.messages``) that OTel knows by another one.
_VERCEL_PROVIDERS = {
    "amazon-bedrock": "aws.bedrock",
    "azure": "azure.ai.openai",
    "azure-openai": "azure.ai.openai",
    "google": "gcp.gemini",
    "mistral": "mistral_ai",
    "xai": "x_ai",
}


def _provider(frame: pl.DataFrame) -> pl.Expr:
    if frame["vercel_provider"].null_count() == len(frame):
        return pl.col("provider")
    name = pl.col("vercel_provider").str.split(".").list.first()
    return pl.coalesce(name.replace(_VERCEL_PROVIDERS), "provider")


def _exceptions(decoded: Decoded, rows: int) -> pl.Series:
    exception = decoded.events.with_row_index("event").filter(pl.col("name") == "exception")
    kinds_of = decoded.event_attributes.filter(pl.col("key") == "exception.type").select("owner", "string")
    first = (
        exception.join(kinds_of, left_on="event", right_on="owner")
        .group_by("span", maintain_order=True)
        .agg(pl.col("string").first())
    )
    return (
        pl.DataFrame({"span": pl.int_range(rows, dtype=pl.UInt32, eager=True)})
        .join(first, on="span", how="left", maintain_order="left")["string"]
        .alias("exception_type")
    )


def _where(frame: pl.DataFrame, chosen: pl.Series, told: pl.Expr, dtype: type[pl.DataType] = pl.String) -> pl.Series:
    """What is told of the chosen rows only, null elsewhere: an expression in a condition would be computed for every row."""
    nothing = pl.Series([None], dtype=dtype).new_from_index(0, len(frame))
    if not chosen.any():
        return nothing
    places = chosen.arg_true()
    return nothing.scatter(places, frame[places].select(told=told.cast(dtype))["told"])

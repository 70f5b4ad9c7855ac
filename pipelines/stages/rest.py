"""What no canonical column holds stays with the span as JSON text, masked and cut to size."""

from __future__ import annotations

import json

import polars as pl

from pipelines.contracts.dialects import event_aliases
from pipelines.stages.decode import Decoded
from pipelines.stages.mask import masked

CUT = "…[cut]"


def rest_json(
    decoded: Decoded, used: pl.Series, resource_used: pl.Series, max_bytes: int
) -> tuple[pl.Series, pl.Series]:
    """Return the ``attributes`` column and whether a value in it was cut.

    The object holds the span's own attributes under their keys, the resource's under ``resource``, events that are no
    fact under ``events`` and the status message under ``status_message``.

    Returns
    -------
    pl.Series
        (spans,) JSON object text.
    pl.Series
        (spans,) bool.
    """
    rows = len(decoded.spans)
    own, own_cut = _object_bodies(decoded.attributes.filter(~used), rows, max_bytes)
    resources = int(decoded.spans["resource"].max() or 0) + 1  # pyright: ignore[reportArgumentType]
    resource, _ = _object_bodies(decoded.resource_attributes.filter(~resource_used), resources, max_bytes)
    events, event_cut = _events(decoded, rows, max_bytes)
    message = decoded.spans.select(
        _quoted(masked(pl.when(pl.col("status_message") != "").then(pl.col("status_message"))).str.head(max_bytes))
    ).to_series()
    frame = pl.DataFrame(
        {
            "own": own,
            "resource": resource.gather(decoded.spans["resource"]),
            "events": events,
            "message": message,
        }
    )
    body = pl.concat_str(
        pl.col("own"),
        pl.lit('"resource":{') + pl.col("resource") + pl.lit("}"),
        pl.lit('"events":[') + pl.col("events") + pl.lit("]"),
        pl.lit('"status_message":') + pl.col("message"),
        separator=",",
        ignore_nulls=True,
    )
    return frame.select(pl.lit("{") + body + pl.lit("}")).to_series().alias("attributes"), (own_cut | event_cut)


def _quoted(text: pl.Expr) -> pl.Expr:
    escaped = pl.struct(text.alias("v")).struct.json_encode().str.slice(5).str.strip_suffix("}")
    plain = pl.lit('"') + text + pl.lit('"')
    return pl.when(text.is_null()).then(None).when(text.str.contains(r'["\\\x00-\x1f]')).then(escaped).otherwise(plain)


def _object_bodies(attributes: pl.DataFrame, rows: int, max_bytes: int) -> tuple[pl.Series, pl.Series]:
    """Return per owner the text between the braces of a JSON object (null where empty), and whether a value was cut."""
    keys = {key: json.dumps(key[:200], ensure_ascii=False) for key in attributes["key"].unique()}
    long = pl.any_horizontal(pl.col(name).str.len_bytes() > max_bytes for name in ("string", "nested"))
    value = pl.coalesce(
        _quoted(
            masked(
                pl.when(pl.col("string").str.len_bytes() > max_bytes)
                .then(pl.col("string").str.head(max_bytes) + CUT)
                .otherwise(pl.col("string"))
            )
        ),
        pl.col("int").cast(pl.String),
        pl.when(pl.col("double").is_finite())
        .then(pl.col("double").cast(pl.String))
        .when(pl.col("double").is_not_null())
        .then(pl.lit('"') + pl.col("double").cast(pl.String) + pl.lit('"')),
        pl.col("bool").cast(pl.String),
        pl.when(pl.col("nested").str.len_bytes() > max_bytes)
        .then(pl.lit(f'"{CUT}"'))
        .otherwise(masked(pl.col("nested"))),
    )
    listed = (
        attributes.with_row_index("row")
        .filter(pl.col("items").is_not_null())
        .select("row", item="items")
        .explode("item")
        .with_columns(_quoted(masked(pl.col("item").str.head(max_bytes))).alias("item"))
        .group_by("row", maintain_order=True)
        .agg(listed=pl.lit("[") + pl.col("item").fill_null("null").str.join(",") + pl.lit("]"))
    )
    pairs = (
        attributes.with_row_index("row")
        .join(listed, on="row", how="left", maintain_order="left")
        .select(
            "owner",
            long.fill_null(False).alias("cut"),
            pair=pl.col("key").replace_strict(keys, return_dtype=pl.String)
            + pl.lit(":")
            + pl.coalesce("listed", value, pl.lit("null")),
            key="key",
        )
        .unique(["owner", "key"], keep="first", maintain_order=True)
        .group_by("owner", maintain_order=True)
        .agg(pl.col("pair").str.join(","), pl.col("cut").any())
    )
    full = pl.DataFrame({"owner": pl.int_range(rows, dtype=pl.UInt32, eager=True)}).join(
        pairs, on="owner", how="left", maintain_order="left"
    )
    return full["pair"], full["cut"].fill_null(False)


def _events(decoded: Decoded, rows: int, max_bytes: int) -> tuple[pl.Series, pl.Series]:
    other = ~decoded.events["name"].is_in([name for name in event_aliases() if name != "exception"])
    bodies, cut = _object_bodies(decoded.event_attributes, len(decoded.events), max_bytes)
    texts = (
        decoded.events.with_columns(body=bodies, cut=cut)
        .filter(other)
        .select(
            "span",
            "cut",
            text=pl.lit('{"name":')
            + _quoted(pl.col("name").str.head(200))
            + pl.when(pl.col("body").is_not_null()).then(pl.lit(",") + pl.col("body")).otherwise(pl.lit(""))
            + pl.lit("}"),
        )
        .group_by("span", maintain_order=True)
        .agg(pl.col("text").str.join(","), pl.col("cut").any())
    )
    full = pl.DataFrame({"span": pl.int_range(rows, dtype=pl.UInt32, eager=True)}).join(
        texts, on="span", how="left", maintain_order="left"
    )
    return full["text"], full["cut"].fill_null(False)

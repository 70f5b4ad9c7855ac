"""What no canonical column holds stays with the span as JSON text, masked and cut to size."""

from __future__ import annotations

import json

import polars as pl

from pipelines.contracts.dialects import event_aliases
from pipelines.stages.decode import Decoded
from pipelines.stages.mask import CUT, MASK, masked, masked_texts

#: More attributes or events on one span are left out, and their number is noted.
MOST = 1_000
#: A long value is masked this far beyond the cut, in characters, so that no secret is cut in two before it is known.
_MARGIN = 4_096


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
        _quoted(_stored(pl.when(pl.col("status_message") != "").then(pl.col("status_message")), max_bytes))
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


def _stored(text: pl.Expr, max_bytes: int) -> pl.Expr:
    """Text as it is written: masked, then cut to size with the cut marked."""
    long = text.str.len_bytes() > max_bytes
    clean = masked(pl.when(long).then(text.str.head(max_bytes + _MARGIN)).otherwise(text))
    # Its last part may be a secret's first half.
    whole = text.str.len_chars() <= max_bytes + _MARGIN
    kept = pl.when(whole).then(clean).otherwise(clean.str.head(-_MARGIN)).str.head(max_bytes)
    return pl.when(long).then(kept + CUT).otherwise(clean)


def _object_bodies(attributes: pl.DataFrame, rows: int, max_bytes: int) -> tuple[pl.Series, pl.Series]:
    """Return per owner the text between the braces of a JSON object (null where empty), and whether a value was cut."""
    names = attributes["key"].unique()
    keys = {
        key: json.dumps(clean if len(clean) <= 200 else clean[:200] + CUT, ensure_ascii=False)
        for key, clean in zip(names, masked_texts(names), strict=True)
    }
    long = pl.any_horizontal(pl.col(name).str.len_bytes() > max_bytes for name in ("string", "nested"))
    value = pl.coalesce(
        _quoted(_stored(pl.col("string"), max_bytes)),
        _whole_number(pl.col("int")),
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
        .with_columns(_quoted(_stored(pl.col("item"), max_bytes)).alias("item"))
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
        .agg(pl.col("pair").head(MOST).str.join(","), pl.col("cut").any(), left_out=pl.len().cast(pl.Int64) - MOST)
        .with_columns(
            pair=pl.col("pair") + _left_out(f',"{CUT}":', ""),
            cut=pl.col("cut") | (pl.col("left_out") > 0),
        )
    )
    full = pl.DataFrame({"owner": pl.int_range(rows, dtype=pl.UInt32, eager=True)}).join(
        pairs, on="owner", how="left", maintain_order="left"
    )
    return full["pair"], full["cut"].fill_null(False)


def _left_out(before: str, after: str) -> pl.Expr:
    noted = pl.lit(before) + pl.col("left_out").cast(pl.String) + pl.lit(after)
    return pl.when(pl.col("left_out") > 0).then(noted).otherwise(pl.lit(""))


def _whole_number(number: pl.Expr) -> pl.Expr:
    """The number's digits, but for a card's."""
    digits = number.cast(pl.String)
    large = pl.when(number > 10**12).then(digits)
    return pl.when(masked(large) != large).then(pl.lit(f'"{MASK}"')).otherwise(digits)


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
            + _quoted(_stored(pl.col("name"), 200))
            + pl.when(pl.col("body").is_not_null()).then(pl.lit(",") + pl.col("body")).otherwise(pl.lit(""))
            + pl.lit("}"),
        )
        .group_by("span", maintain_order=True)
        .agg(pl.col("text").head(MOST).str.join(","), pl.col("cut").any(), left_out=pl.len().cast(pl.Int64) - MOST)
        .with_columns(
            text=pl.col("text") + _left_out(f',{{"name":"{CUT}","left_out":', "}"),
            cut=pl.col("cut") | (pl.col("left_out") > 0),
        )
    )
    full = pl.DataFrame({"span": pl.int_range(rows, dtype=pl.UInt32, eager=True)}).join(
        texts, on="span", how="left", maintain_order="left"
    )
    return full["text"], full["cut"].fill_null(False)

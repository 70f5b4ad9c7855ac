"""Which spans that share their ids are one span delivered twice, and which are two: buggy tracers give an id away twice.

A span delivered again has the same name, kind, start and end (and attributes, where its ids are not proper ones). Anything else
under the same ids is another span: it is kept under an id that follows from its content, flagged ``span_id_collision``, so
that a replay finds it there already. Batches without shared ids, all but every one, cost one look for duplicates.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

import polars as pl

KEY = ["trace_id", "span_id"]
PLACE = ["topic", "partition", "offset"]
_INVALID = ["invalid_trace_id", "invalid_span_id"]


@dataclass(frozen=True, slots=True)
class Apart:
    """Spans with one row per (trace_id, span_id).

    Attributes
    ----------
    spans : pl.DataFrame
        Those to store, in their order.
    repeated : pl.DataFrame
        trace_id, span_id, source_file, topic, partition, offset of those delivered again.
    renamed : pl.DataFrame
        ``KEY`` and ``PLACE`` of those that got an id of their own, and that id as own_id.
    """

    spans: pl.DataFrame
    repeated: pl.DataFrame
    renamed: pl.DataFrame


def told_apart(spans: pl.DataFrame, stored: pl.DataFrame | None = None) -> Apart:
    """Return the spans of a batch, each once.

    Parameters
    ----------
    spans : pl.DataFrame
        Canonical spans.
    stored : pl.DataFrame or None
        Spans in the warehouse with keys of these: the columns that :func:`fingerprints` needs, and the keys.
    """
    stored = None if stored is None or stored.is_empty() else stored
    shared = spans.select(pl.struct(KEY).is_duplicated()).to_series()
    if stored is not None:
        shared |= spans.select(pl.struct(KEY).is_in(stored.select(pl.struct(KEY)).to_series().implode())).to_series()
    place = ["source_file", *PLACE]
    if not shared.any():
        none = spans.clear()
        return Apart(spans, none.select(*KEY, *place), none.select(*KEY, *PLACE, own_id="span_id"))
    rows = spans.with_row_index("row").filter(shared)
    rows = rows.select("row", *KEY, *place, "quality_flags", fingerprint=fingerprints(rows))
    holders = pl.DataFrame(schema={**dict.fromkeys(KEY, pl.String), "holder": pl.String})
    if stored is not None:
        holders = stored.select(*KEY, holder=fingerprints(stored)).unique(KEY, keep="first", maintain_order=True)
    rows = rows.join(holders, on=KEY, how="left", maintain_order="left").with_columns(
        is_stored=pl.col("holder").is_not_null(),
        holder=pl.coalesce("holder", pl.col("fingerprint").first().over(KEY)),
    )
    other = pl.col("fingerprint") != pl.col("holder")
    rows = rows.with_columns(
        other=other,
        own_id=pl.when(other).then(_own_ids(rows)).otherwise("span_id"),
    )
    again = ~pl.struct("trace_id", "own_id").is_first_distinct() | (pl.col("is_stored") & ~pl.col("other"))
    rows = rows.with_columns(again=again)
    kept = rows.filter(~pl.col("again")).select("row", "own_id", "other")
    flags = pl.col("quality_flags")
    told = (
        spans.with_row_index("row")
        .filter(~shared | pl.col("row").is_in(kept["row"].implode()))
        .join(kept, on="row", how="left", maintain_order="left")
        .with_columns(
            span_id=pl.coalesce("own_id", "span_id"),
            quality_flags=pl.when(pl.col("other").fill_null(False))
            .then(pl.concat_list(flags, pl.lit("span_id_collision")))
            .otherwise(flags),
        )
        .drop("row", "own_id", "other")
    )
    renamed = rows.filter("other").select(*KEY, *PLACE, "own_id")
    return Apart(told, rows.filter("again").select(*KEY, *place), renamed.unique(maintain_order=True))


def restated(fact: pl.DataFrame, renamed: pl.DataFrame, spans: pl.DataFrame) -> pl.DataFrame:
    """Return a fact table's rows under their span's own id; where one message holds both spans, they stay with the first."""
    if renamed.is_empty() or fact.is_empty():
        return fact
    place = [*KEY, *PLACE]
    clear = renamed.unique(place, keep="none").join(spans, on=place, how="anti", nulls_equal=True)
    if clear.is_empty():
        return fact
    columns = fact.columns
    return (
        fact.join(clear, on=place, how="left", nulls_equal=True, maintain_order="left")
        .with_columns(span_id=pl.coalesce("own_id", "span_id"))
        .select(columns)
    )


def fingerprints(spans: pl.DataFrame) -> pl.Series:
    """Return a digest of what tells one span from another with its ids, 16 hex digits each."""
    invalid = pl.col("quality_flags").list.set_intersection(pl.lit(_INVALID)).list.len() > 0
    text = pl.concat_str(
        pl.col("name").fill_null(""),
        pl.col("kind"),
        pl.col("started_at").dt.epoch("us"),
        pl.col("ended_at").dt.epoch("us"),
        pl.when(invalid).then("attributes").otherwise(pl.lit("")).fill_null(""),
        separator="\x1f",
        ignore_nulls=True,
    )
    return _digested(spans.select(text).to_series(), "fingerprint")


def _own_ids(rows: pl.DataFrame) -> pl.Series:
    return _digested(rows.select(pl.concat_str(*KEY, "fingerprint", separator="\x1f")).to_series(), "own_id")


def _digested(texts: pl.Series, name: str) -> pl.Series:
    return pl.Series(name, [blake2b(text.encode(), digest_size=8).hexdigest() for text in texts], dtype=pl.String)

"""What no canonical column holds stays with the span as JSON text, masked and cut to size.

The text is put together from columns: each attribute becomes a piece, and Arrow joins the pieces of an owner. Work that
few rows need (escaping, cutting, lists) is done on those rows only.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.contracts.dialects import event_aliases
from pipelines.stages.attributes import VALUES, Keyed
from pipelines.stages.decode import Decoded
from pipelines.stages.mask import CUT, MASK, masked_texts

#: More attributes or events on one span are left out, and their number is noted.
MOST = 1_000
#: Longer keys are cut, in characters.
_KEY_CHARACTERS = 200
#: A long value is masked this far beyond the cut, in characters, so that no secret is cut in two before it is known.
_MARGIN = 4_096

_Mask = np.ndarray[Any, Any]


def rest_json(
    decoded: Decoded,
    own: tuple[Keyed, _Mask],
    of_resources: tuple[Keyed, _Mask],
    of_events: Keyed,
    max_bytes: int,
) -> tuple[pl.Series, pl.Series]:
    """Return the ``attributes`` column and whether a value in it was cut.

    The object holds the span's own attributes under their keys, the resource's under ``resource``, events that are no
    fact under ``events`` and the status message under ``status_message``.

    Parameters
    ----------
    own, of_resources : (Keyed, (n,) bool)
        The attributes of spans and of resources, and which of them to keep.
    of_events : Keyed
    max_bytes : int
        Longer values are cut, in bytes.

    Returns
    -------
    pl.Series
        (spans,) JSON object text.
    pl.Series
        (spans,) bool.
    """
    rows = len(decoded.spans)
    body, cut = _object_bodies(*own, rows, max_bytes)
    resources = int(decoded.spans["resource"].max() or 0) + 1  # pyright: ignore[reportArgumentType]
    resource, _ = _object_bodies(*of_resources, resources, max_bytes)
    events, event_cut = _events(decoded, of_events, rows, max_bytes)
    resource = pl.select(pl.lit('"resource":{') + resource + pl.lit("}")).to_series()
    parts = [body, resource.gather(decoded.spans["resource"])]
    if events.null_count() < rows:
        parts.append(pl.select(pl.lit('"events":[') + events + pl.lit("]")).to_series())
    message = decoded.spans["status_message"].replace("", None)
    if message.null_count() < rows:
        text = _quoted(_sized(message, max_bytes)[0])
        parts.append(pl.select(pl.lit('"status_message":') + text).to_series())
    named = pl.DataFrame([part.alias(str(place)) for place, part in enumerate(parts)])
    whole = pl.concat_str(pl.lit("{"), pl.concat_str(pl.all(), separator=",", ignore_nulls=True), pl.lit("}"))
    return named.select(whole).to_series().alias("attributes"), (cut | event_cut)


def _quoted(text: pl.Series) -> pl.Series:
    """JSON strings with their quotes; null stays null."""
    return pl.select(pl.concat_str(pl.lit('"'), _escaped(text), pl.lit('"'))).to_series()


def _escaped(text: pl.Series) -> pl.Series:
    """Text as it stands between the quotes of a JSON string."""

    def encoded(some: pl.Series) -> pl.Series:
        whole = some.to_frame("v").to_struct().struct.json_encode()
        return whole.str.slice(6).str.head(-2)

    return _mended(text, text.str.contains(r'["\\\x00-\x1f]'), encoded)


def _sized(text: pl.Series, max_bytes: int) -> tuple[pl.Series, pl.Series]:
    """Text masked and cut to size, and whether it was cut."""
    long = (text.str.len_bytes() > max_bytes).fill_null(False)

    def sized(some: pl.Series) -> pl.Series:
        clean = masked_texts(some.str.head(max_bytes + _MARGIN))
        # Where text was left beyond the margin, the last of it may be a secret's first half.
        whole = some.str.len_chars() <= max_bytes + _MARGIN
        return clean.zip_with(whole, clean.str.head(-_MARGIN)).str.head(max_bytes) + CUT

    return masked_texts(_mended(text, long, sized)), long


def _mended(text: pl.Series, chosen: pl.Series, mend: Any) -> pl.Series:
    """Text with the chosen rows changed."""
    if not chosen.any():
        return text
    places = chosen.arg_true()
    return text.scatter(places, mend(text.gather(places)))


def _object_bodies(keyed: Keyed, keep: _Mask, rows: int, max_bytes: int) -> tuple[pl.Series, pl.Series]:
    """Return per owner the text between the braces of a JSON object (null where empty), and whether a value was cut."""
    keep, left_out = _first(np.flatnonzero(keep & ~keyed.repeated), keyed.owner, rows)
    if not len(keep):
        return pl.Series([None], dtype=pl.String).new_from_index(0, rows), pl.repeat(False, rows, eager=True)
    owner, codes, types = keyed.owner[keep], keyed.codes[keep], keyed.types[keep]
    is_text = types == 1 + VALUES.index("string")
    value, cut = _sized(keyed.take("string", keep.astype(np.uint32)), max_bytes)
    value = _escaped(value)
    for place, name in enumerate(VALUES[1:], start=2):
        chosen = np.flatnonzero(types == place)
        if len(chosen):
            texts, long = _WRITERS[name](keyed.attributes[name].gather(keep[chosen]), max_bytes)
            value = value.scatter(chosen, texts)
            if long is not None:
                cut = cut.scatter(chosen, long)
    # The key with its colon and, before text, the opening quote; the closing one is on the next piece or at the end.
    names = [json.dumps(key, ensure_ascii=False) + ":" for key in _key_names(keyed.keys)]
    starts = pl.Series(names + [name + '"' for name in names], dtype=pl.String)
    closings = pl.Series(["", '"'], dtype=pl.String)
    pieces = pl.DataFrame(
        {
            "start": starts.gather(pl.Series(np.where(is_text, codes + len(names), codes))),
            "value": value,
            "end": closings.gather(pl.Series(is_text.astype(np.uint32))),
        }
    ).select(pl.concat_str("start", pl.col("value").fill_null("null"), "end"))
    offsets = np.searchsorted(owner, np.arange(rows + 1)).astype(np.int64)
    lists = pa.LargeListArray.from_arrays(pa.array(offsets), pieces.to_series().to_arrow().cast(pa.large_string()))
    joined = pc.binary_join(lists, pa.scalar(",", pa.large_string()))  # pyright: ignore[reportAttributeAccessIssue]
    empty = pl.Series(offsets[1:] == offsets[:-1])
    touched = np.zeros(rows, dtype=bool)
    touched[owner[cut.to_numpy()]] = True
    bodies = _mended(pl.Series(joined), empty, lambda some: some.new_from_index(0, len(some)).replace("", None))
    if left_out is not None:
        noted = pl.Series(left_out).cast(pl.String)
        bodies = _mended(bodies, noted != "0", lambda some: some + f',"{CUT}":' + noted.filter(noted != "0"))
        touched |= left_out > 0
    return bodies, pl.Series(touched)


def _first(keep: _Mask, owner: _Mask, rows: int) -> tuple[_Mask, _Mask | None]:
    """The first ``MOST`` attributes of each owner, and how many more each has; None where none has."""
    of = owner[keep]
    counts = np.bincount(of, minlength=rows)
    if not len(of) or counts.max() <= MOST:
        return keep, None
    place = np.arange(len(of)) - np.searchsorted(of, of)
    return keep[place < MOST], np.maximum(counts - MOST, 0)


def _key_names(keys: list[str]) -> list[str]:
    """Keys as they are written: masked, cut, and no two of one table alike."""
    clean = masked_texts(pl.Series(keys, dtype=pl.String)).to_list()
    return [key if len(key) <= _KEY_CHARACTERS else key[:_KEY_CHARACTERS] + CUT for key in clean]


def _whole_numbers(values: pl.Series, _: int) -> tuple[pl.Series, None]:
    digits = values.cast(pl.String)
    # A card's number may come as one.
    return _mended(digits, values > 10**12, lambda some: masked_texts(some).replace(MASK, f'"{MASK}"')), None


def _numbers(values: pl.Series, _: int) -> tuple[pl.Series, None]:
    return values.cast(pl.String), None


def _doubles(values: pl.Series, _: int) -> tuple[pl.Series, None]:
    # JSON has no infinity and no NaN: they become text.
    return _mended(values.cast(pl.String), ~values.is_finite(), lambda some: '"' + some + '"'), None


def _lists(values: pl.Series, max_bytes: int) -> tuple[pl.Series, pl.Series]:
    items, long = _sized(values.list.explode(keep_nulls=True, empty_as_null=False), max_bytes)
    counts = np.concatenate([[0], np.cumsum(values.list.len().to_numpy())]).astype(np.int64)
    pieces = _quoted(items).fill_null("null").to_arrow().cast(pa.large_string())
    lists = pa.LargeListArray.from_arrays(pa.array(counts), pieces)
    joined = pl.Series(pc.binary_join(lists, pa.scalar(",", pa.large_string())))  # pyright: ignore[reportAttributeAccessIssue]
    touched = (
        np.add.reduceat(np.append(long.to_numpy(), False), counts[:-1]) > 0
        if len(long)
        else np.zeros(len(values), bool)
    )
    return pl.select(pl.concat_str(pl.lit("["), joined, pl.lit("]"))).to_series(), pl.Series(touched)


def _nested(values: pl.Series, max_bytes: int) -> tuple[pl.Series, pl.Series]:
    long = values.str.len_bytes() > max_bytes
    whole = masked_texts(_mended(values, long, lambda some: some.str.head(0)))
    return _mended(whole, long, lambda some: some.new_from_index(0, len(some)).replace(some[0], f'"{CUT}"')), long


_WRITERS: dict[str, Any] = {
    "int": _whole_numbers,
    "double": _doubles,
    "bool": _numbers,
    "items": _lists,
    "nested": _nested,
}


def _events(decoded: Decoded, keyed: Keyed, rows: int, max_bytes: int) -> tuple[pl.Series, pl.Series]:
    facts = [name for name in event_aliases() if name != "exception"]
    other = decoded.events.select((~pl.col("name").is_in(facts)).arg_true()).to_series()
    if other.is_empty():
        return pl.Series([None], dtype=pl.String).new_from_index(0, rows), pl.repeat(False, rows, eager=True)
    bodies, cut = _object_bodies(keyed, np.ones(len(keyed.attributes), dtype=bool), len(decoded.events), max_bytes)
    texts = (
        decoded.events.with_columns(body=bodies, cut=cut)[other]
        .with_columns(name=_quoted(_sized(decoded.events["name"].gather(other), _KEY_CHARACTERS)[0]))
        .select(
            "span",
            "cut",
            text=pl.lit('{"name":')
            + pl.col("name")
            + pl.when(pl.col("body").is_not_null()).then(pl.lit(",") + pl.col("body")).otherwise(pl.lit(""))
            + pl.lit("}"),
        )
        .group_by("span", maintain_order=True)
        .agg(pl.col("text").head(MOST).str.join(","), pl.col("cut").any(), left_out=pl.len().cast(pl.Int64) - MOST)
        .with_columns(
            text=pl.when(pl.col("left_out") > 0)
            .then(pl.col("text") + f',{{"name":"{CUT}","left_out":' + pl.col("left_out").cast(pl.String) + "}")
            .otherwise("text"),
            cut=pl.col("cut") | (pl.col("left_out") > 0),
        )
    )
    full = pl.DataFrame({"span": pl.int_range(rows, dtype=pl.UInt32, eager=True)}).join(
        texts, on="span", how="left", maintain_order="left"
    )
    return full["text"], full["cut"].fill_null(False)

"""Attribute tables: key-value pairs of OTLP in typed columns, and their pivot onto canonical columns.

The pivot is columnar: per key of the alias table one scatter of row numbers, per canonical column one gather.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.contracts.otlp import nested_value

_SCHEMA: dict[str, Any] = {
    "owner": pl.UInt32,
    "key": pl.String,
    "string": pl.String,
    "bool": pl.Boolean,
    "int": pl.Int64,
    "double": pl.Float64,
    "items": pl.List(pl.String),
    "nested": pl.String,
}


def attribute_frame(pairs: pa.Array | None, owner: pl.Series) -> pl.DataFrame:
    """Return key-value structs as columns.

    Parameters
    ----------
    pairs : pa.StructArray or None
        OTLP ``KeyValue``, in the protobuf or the JSON spelling.
    owner : pl.Series
        (n,) UInt32, the row that each pair belongs to.

    Returns
    -------
    pl.DataFrame
        owner, key, string, bool, int, double, items (scalars of an array, as text), nested (JSON text of anything deeper).
        At most one of the value columns is set.
    """
    if pairs is None or len(pairs) == 0:
        return pl.DataFrame(schema=_SCHEMA)
    value = pc.struct_field(pairs, "value")  # pyright: ignore[reportAttributeAccessIssue]
    names = {field.name: field.name for field in value.type}
    camel = "stringValue" in names

    def part(name: str, of: pa.Array = value) -> pa.Array:
        return pc.struct_field(of, name.split("_")[0] + "Value" if camel else name)  # pyright: ignore[reportAttributeAccessIssue]

    arrays = pc.struct_field(part("array_value"), "values")  # pyright: ignore[reportAttributeAccessIssue]
    leaves, array_of = pc.list_flatten(arrays), pl.Series(pc.list_parent_indices(arrays))  # pyright: ignore[reportAttributeAccessIssue]
    frame = pl.DataFrame(
        {
            "owner": owner,
            "key": pl.Series(pc.struct_field(pairs, "key")).fill_null(""),  # pyright: ignore[reportAttributeAccessIssue]
            "string": _text(part("string_value"), part("bytes_value")),
            "bool": pl.Series(part("bool_value")),
            "int": pl.Series(part("int_value")).cast(pl.Int64, strict=False),
            "double": pl.Series(part("double_value")).cast(pl.Float64, strict=False),
            "items": _items(leaves, array_of, len(pairs), part),
            "nested": _nested(part("kvlist_value"), "KeyValueList"),
        },
        schema=_SCHEMA,
    )
    return frame


def _text(strings: pa.Array, binary: pa.Array) -> pl.Series:
    series = pl.Series(strings)
    if binary.null_count == len(binary):
        return series
    raw = pl.Series(binary)
    return series.fill_null(raw.bin.encode("base64") if raw.dtype == pl.Binary else raw)


def _nested(raw: pa.Array, kind: str) -> pl.Series:
    """JSON text of the few values that Arrow holds undecoded: the slow path, one Python call each."""
    series = pl.Series(raw)
    if series.null_count() == len(series):
        return pl.Series(series.name, [None] * len(series), dtype=pl.String)
    read = _json_otlp if series.dtype == pl.String else lambda payload: nested_value(kind, payload)
    texts = [None if payload is None else json.dumps(read(payload), default=str) for payload in series]
    return pl.Series(series.name, texts, dtype=pl.String)


def _json_otlp(text: str) -> Any:
    try:
        return _plain(json.loads(text))
    except (ValueError, RecursionError):
        return None


def _plain(value: Any) -> Any:
    if not isinstance(value, dict) or not value:
        return value
    inner = value.get("kvlistValue", value.get("arrayValue", value))
    values = inner.get("values") if isinstance(inner, dict) else None
    if isinstance(values, list):
        if values and isinstance(values[0], dict) and "key" in values[0]:
            return {str(pair.get("key")): _plain(pair.get("value")) for pair in values if isinstance(pair, dict)}
        return [_plain(item) for item in values]
    for name, item in value.items():
        if name.endswith("Value"):
            return int(item) if name == "intValue" and str(item).lstrip("-").isdigit() else item
    return value


def _items(leaves: pa.Array, array_of: pl.Series, rows: int, part: Any) -> pl.Series:
    empty = pl.Series("items", [None], dtype=pl.List(pl.String)).new_from_index(0, rows)
    if len(leaves) == 0:
        return empty
    text = _text(part("string_value", leaves), part("bytes_value", leaves))
    for name in ("int_value", "double_value", "bool_value"):
        text = text.fill_null(pl.Series(part(name, leaves)).cast(pl.String))
    for name, kind in (("kvlist_value", "KeyValueList"), ("array_value", "ArrayValue")):
        raw = part(name, leaves)
        if raw.null_count < len(raw):
            text = text.fill_null(_nested(raw, kind))
    grouped = pl.DataFrame({"row": array_of, "items": text}).group_by("row", maintain_order=True).agg("items")
    position = np.full(rows, -1, dtype=np.int64)
    position[grouped["row"].to_numpy()] = np.arange(len(grouped))
    return grouped["items"].gather(pl.Series(position).replace(-1, None))


def pivot(attributes: pl.DataFrame, rows: int, aliases: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
    """Return canonical columns from an attribute table, and which of its rows were used.

    Parameters
    ----------
    attributes : pl.DataFrame
        As :func:`attribute_frame` makes it.
    rows : int
        How many owners there are.
    aliases : pl.DataFrame
        column, key (``N`` stands for an index), priority (the least wins), type (string, int, bool, strings).

    Returns
    -------
    pl.DataFrame
        (rows, columns of the alias table); null where no key was there.
    pl.Series
        (len(attributes),) bool.
    """
    keys = attributes["key"].cast(pl.Categorical)
    codes = keys.to_physical().to_numpy()
    unique = attributes.select(pl.col("key").unique(maintain_order=True))
    code_of = dict(zip(unique["key"], unique["key"].cast(pl.Categorical).to_physical(), strict=True))
    found = unique.with_columns(spelling=pl.col("key").str.replace_all(r"\.\d+(\.|$)", ".N$1")).join(
        aliases.rename({"key": "spelling"}), on="spelling"
    )
    order = np.argsort(codes, kind="stable")
    sorted_codes = codes[order]
    owner = attributes["owner"].to_numpy()
    used = np.zeros(len(attributes), dtype=bool)
    columns: dict[str, pl.Series] = {}
    for (column, kind), keys_of in found.sort("priority", descending=True, maintain_order=True).group_by(
        "column", "type", maintain_order=True
    ):
        where: list[np.ndarray[Any, Any]] = []
        for key in keys_of["key"]:
            low, high = (
                np.searchsorted(sorted_codes, code_of[key]),
                np.searchsorted(sorted_codes, code_of[key], side="right"),
            )
            where.append(order[low:high])
        for positions in where:
            used[positions] = True
        columns[str(column)] = _gather(attributes, owner, where, rows, str(kind)).alias(str(column))
    for column, kind in aliases.select("column", "type").unique(maintain_order=True).iter_rows():
        if column not in columns:
            columns[column] = pl.Series(column, [None], dtype=_TYPES[kind]).new_from_index(0, rows)
    return pl.DataFrame(columns), pl.Series("used", used)


_TYPES: dict[str, Any] = {
    "string": pl.String,
    "int": pl.Float64,
    "bool": pl.Boolean,
    "double": pl.Float64,
    "strings": pl.List(pl.String),
}


def _gather(
    attributes: pl.DataFrame, owner: np.ndarray[Any, Any], where: list[np.ndarray[Any, Any]], rows: int, kind: str
) -> pl.Series:
    if (kind == "strings" and len(where) > 1) or (kind == "strings" and where and len(where[0]) > rows):
        taken = attributes[np.sort(np.concatenate(where))]
        listed = taken.select("owner", items=pl.coalesce("items", pl.concat_list("string")))
        grouped = listed.explode("items").drop_nulls().group_by("owner", maintain_order=True).agg("items")
        position = np.full(rows, -1, dtype=np.int64)
        position[grouped["owner"].to_numpy()] = np.arange(len(grouped))
        return grouped["items"].gather(pl.Series(position).replace(-1, None))
    position = np.full(rows, -1, dtype=np.int64)
    for positions in where:  # the best priority comes last and overwrites
        position[owner[positions[::-1]]] = positions[::-1]  # of one key given twice, the first counts
    taken = attributes.select(pl.all().gather(pl.Series(position).replace(-1, None)))
    text = pl.coalesce(
        "string",
        pl.col("int").cast(pl.String),
        pl.col("double").cast(pl.String),
        pl.col("bool").cast(pl.String),
        pl.col("items").list.first(),
        "nested",
    )
    number = pl.coalesce(pl.col("int").cast(pl.Float64), "double", pl.col("string").cast(pl.Float64, strict=False))
    truth = pl.coalesce("bool", pl.col("int") != 0, pl.col("string").str.to_lowercase().is_in(["true", "1", "yes"]))
    by_kind = {
        "string": text,
        "int": number,
        "double": number,
        "bool": truth,
        "strings": pl.coalesce("items", pl.when(pl.col("string").is_not_null()).then(pl.concat_list("string"))),
    }
    return taken.select(value=by_kind[kind])["value"]

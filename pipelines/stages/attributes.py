"""Attribute tables: key-value pairs of OTLP in typed columns, and their pivot onto canonical columns.

An index of the keys is made once per table. The pivot is columnar: per key of the alias table one scatter of row numbers,
per canonical column one gather of the one value column that holds it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from copy import copy
from functools import cached_property
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


class Keyed:
    """An attribute table with an index of its keys: where each one is, found once and looked up often.

    Attributes
    ----------
    attributes : pl.DataFrame
        As :func:`attribute_frame` makes it; rows of one owner follow each other, owners ascend.
    keys : list of str
        The distinct keys, in order of appearance.
    codes, owner : np.ndarray
        (n,) int: each row's place in ``keys``, and its owner.
    """

    def __init__(self, attributes: pl.DataFrame) -> None:
        self.attributes = attributes
        encoded = attributes["key"].to_arrow().dictionary_encode()
        self.keys: list[str] = encoded.dictionary.to_pylist()
        self.codes = encoded.indices.to_numpy()
        self.owner = attributes["owner"].to_numpy()
        # NumPy sorts 16-bit integers by radix, seven times as fast as wider ones.
        narrow = self.codes.astype(np.uint16) if len(self.keys) <= 2**16 else self.codes
        self._order = np.argsort(narrow, kind="stable")
        self._ends = np.cumsum(np.bincount(self.codes, minlength=len(self.keys)))

    @cached_property
    def spellings(self) -> dict[str, list[int]]:
        """Codes by key with every index written ``N``."""
        found: dict[str, list[int]] = {}
        for code, key in enumerate(self.keys):
            found.setdefault(_INDEX.sub(".N", key), []).append(code)
        return found

    def rows(self, code: int) -> np.ndarray[Any, Any]:
        """Rows of a key, ascending."""
        return self._order[self._ends[code - 1] if code else 0 : self._ends[code]]

    def holds(self, spellings: Iterable[str]) -> bool:
        """Whether any of these keys (``N`` for an index) is in the table."""
        return any(spelling in self.spellings for spelling in spellings)

    @cached_property
    def repeated(self) -> np.ndarray[Any, Any]:
        """(n,) bool: the owner has this key in an earlier row."""
        owner, codes = self.owner[self._order], self.codes[self._order]
        again = np.zeros(len(owner), dtype=bool)
        again[self._order[1:]] = (owner[1:] == owner[:-1]) & (codes[1:] == codes[:-1])
        return again

    @cached_property
    def types(self) -> np.ndarray[Any, Any]:
        """(n,) uint8: place of the value column that is set, 0 for none."""
        found = np.zeros(len(self.attributes), dtype=np.uint8)
        for place, name in reversed(list(enumerate(VALUES, start=1))):
            column = self.attributes[name]
            if column.null_count() < len(column):
                found[column.is_not_null().to_numpy()] = place
        return found

    def take(self, name: str, rows: np.ndarray[Any, Any]) -> pl.Series:
        """Values of a column at these rows; null where the row is one past the end."""
        if name not in self._padded:
            column = self.attributes[name]
            self._padded[name] = pl.concat([column, pl.Series(name, [None], dtype=column.dtype)], rechunk=True)
        return self._padded[name].gather(pl.Series(rows))

    def with_values(self, attributes: pl.DataFrame) -> Keyed:
        """Return the same keys of the same owners with other values."""
        other = copy(self)
        other.attributes = attributes
        for name in ("types", "_padded"):
            other.__dict__.pop(name, None)
        return other

    @cached_property
    def _padded(self) -> dict[str, pl.Series]:
        return {}


#: The value columns of an attribute table, in the order in which they are preferred.
VALUES = ("string", "int", "double", "bool", "items", "nested")
_INDEX = re.compile(r"\.\d+(?=\.|$)")


def pivot(keyed: Keyed, rows: int, aliases: pl.DataFrame) -> tuple[pl.DataFrame, np.ndarray[Any, Any]]:
    """Return canonical columns from an attribute table, and which of its rows were used.

    Parameters
    ----------
    keyed : Keyed
    rows : int
        How many owners there are.
    aliases : pl.DataFrame
        column, key (``N`` stands for an index), priority (the least wins), type (string, int, bool, strings).

    Returns
    -------
    pl.DataFrame
        (rows, columns of the alias table); null where no key was there.
    np.ndarray
        (attributes,) bool.
    """
    used = np.zeros(len(keyed.attributes), dtype=bool)
    found: dict[str, list[np.ndarray[Any, Any]]] = {}
    for column, key in (
        aliases.sort("priority", descending=True, maintain_order=True).select("column", "key").iter_rows()
    ):
        for code in keyed.spellings.get(key, ()):
            positions = keyed.rows(code)
            found.setdefault(column, []).append(positions)
            used[positions] = True
    columns: dict[str, pl.Series] = {}
    for column, kind in aliases.select("column", "type").unique("column", maintain_order=True).iter_rows():
        if column in found:
            columns[column] = _gather(keyed, found[column], rows, kind).alias(column)
        else:
            columns[column] = pl.Series(column, [None], dtype=_TYPES[kind]).new_from_index(0, rows)
    return pl.DataFrame(columns), used


_TYPES: dict[str, Any] = {
    "string": pl.String,
    "int": pl.Float64,
    "bool": pl.Boolean,
    "double": pl.Float64,
    "strings": pl.List(pl.String),
}


def _gather(keyed: Keyed, where: list[np.ndarray[Any, Any]], rows: int, kind: str) -> pl.Series:
    if kind == "strings" and (len(where) > 1 or len(where[0]) > rows):
        return _collected(keyed, where, rows)
    position = np.full(rows, len(keyed.attributes), dtype=np.uint32)
    for positions in where:  # the best priority comes last and overwrites
        position[keyed.owner[positions[::-1]]] = positions[::-1]  # of one key given twice, the first counts
    types = np.flatnonzero(np.bincount(np.concatenate([keyed.types[positions] for positions in where]))) - 1
    taken = pl.DataFrame([keyed.take(VALUES[place], position) for place in types if place >= 0])
    readings = [_READINGS[kind][name] for name in taken.columns if name in _READINGS[kind]]
    if not readings:
        return pl.Series([None], dtype=_TYPES[kind]).new_from_index(0, rows)
    return taken.select(value=pl.coalesce(readings))["value"]


#: How a canonical column of a type reads a value column.
_READINGS: dict[str, dict[str, pl.Expr]] = {
    "string": {
        "string": pl.col("string"),
        "int": pl.col("int").cast(pl.String),
        "double": pl.col("double").cast(pl.String),
        "bool": pl.col("bool").cast(pl.String),
        "items": pl.col("items").list.first(),
        "nested": pl.col("nested"),
    },
    "double": {
        "string": pl.col("string").cast(pl.Float64, strict=False),
        "int": pl.col("int").cast(pl.Float64),
        "double": pl.col("double"),
    },
    "bool": {
        "string": pl.col("string").str.to_lowercase().is_in(["true", "1", "yes"]),
        "int": pl.col("int") != 0,
        "bool": pl.col("bool"),
    },
    "strings": {
        "string": pl.when(pl.col("string").is_not_null()).then(pl.concat_list("string")),
        "items": pl.col("items"),
    },
}
_READINGS["int"] = _READINGS["double"]


def _collected(keyed: Keyed, where: list[np.ndarray[Any, Any]], rows: int) -> pl.Series:
    """One list per owner from keys with an index, in order of their rows."""
    taken = keyed.attributes[np.sort(np.concatenate(where))]
    listed = taken.select("owner", items=pl.coalesce("items", pl.concat_list("string")))
    grouped = listed.explode("items").drop_nulls().group_by("owner", maintain_order=True).agg("items")
    position = np.full(rows, -1, dtype=np.int64)
    position[grouped["owner"].to_numpy()] = np.arange(len(grouped))
    return grouped["items"].gather(pl.Series(position).replace(-1, None))

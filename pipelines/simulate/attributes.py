"""Attributes of many spans, events or resources as one Arrow list array of OTLP ``KeyValue``.

Columns are added attribute by attribute and scattered into place at the end, so no loop visits a span.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from .texts import Texts

Kind = Literal["text", "int", "double", "bool", "texts"]

_LEAF: pa.DataType = pa.struct(
    [
        ("string_value", pa.string()),
        ("bool_value", pa.bool_()),
        ("int_value", pa.int64()),
        ("double_value", pa.float64()),
        ("array_value", pa.binary()),
        ("kvlist_value", pa.binary()),
        ("bytes_value", pa.binary()),
    ]
)
_ARRAY: pa.DataType = pa.struct([("values", pa.list_(pa.field("item", _LEAF, nullable=False)))])


class AttributeTable:
    """Collects attribute columns for ``rows`` owners, in the order in which each owner shall show them."""

    def __init__(self, rows: int, texts: Texts) -> None:
        self._texts = texts
        self._counts = np.zeros(rows, dtype=np.int32)
        self._columns: list[tuple[NDArray[np.int64], int, Kind, NDArray[Any]]] = []

    def add(
        self,
        owners: NDArray[np.int64],
        key: str,
        values: NDArray[Any] | int,
        kind: Kind = "text",
        where: NDArray[np.bool_] | None = None,
    ) -> None:
        """Give each owner an attribute.

        Parameters
        ----------
        owners : (n,) int64
            Distinct row numbers.
        values : (n,) array, or one value for all
            Text codes for ``text``; for ``texts`` an (n, width) array of them, filled from the left, -1 for none.
        where : (n,) bool, optional
            Owners that have it; all when not given.
        """
        if not isinstance(values, np.ndarray):
            values = np.broadcast_to(np.asarray(values), (len(owners),))
        if where is not None:
            owners, values = owners[where], values[where]
        self._counts[owners] += 1
        self._columns.append((owners, self._texts.code(key), kind, values))

    def build(self) -> pa.Array:
        """Return the list array, one list of ``KeyValue`` per owner."""
        offsets = np.zeros(len(self._counts) + 1, dtype=np.int32)
        np.cumsum(self._counts, out=offsets[1:])
        place, total = offsets[:-1].copy(), int(offsets[-1])
        keys = np.zeros(total, np.int32)
        codes = np.full(total, -1, np.int32)
        numbers = np.zeros(total, np.int64)
        reals = np.zeros(total, np.float64)
        kinds = np.zeros(total, np.int8)
        lists: list[tuple[NDArray[np.int32], NDArray[Any]]] = []
        for owners, key, kind, values in self._columns:
            at = place[owners]
            place[owners] = at + 1
            keys[at] = key
            if kind == "text":
                codes[at] = values
            elif kind == "texts":
                kinds[at] = 4
                lists.append((at, values))
            elif kind == "double":
                kinds[at], reals[at] = 3, values
            else:
                kinds[at], numbers[at] = (2 if kind == "int" else 1), values
        value = pa.StructArray.from_arrays(
            [
                self._texts.take(codes),
                pa.array(numbers != 0, mask=kinds != 1) if (kinds == 1).any() else pa.nulls(total, pa.bool_()),
                pa.array(numbers, mask=kinds != 2),
                pa.array(reals, mask=kinds != 3),
                self._lists(total, kinds != 4, lists),
                pa.nulls(total, pa.binary()),
                pa.nulls(total, pa.binary()),
            ],
            names=[
                "string_value",
                "bool_value",
                "int_value",
                "double_value",
                "array_value",
                "kvlist_value",
                "bytes_value",
            ],
        )
        pairs = pa.StructArray.from_arrays(
            [self._texts.take(keys), value],
            fields=[pa.field("key", pa.string(), nullable=False), pa.field("value", value.type)],
        )
        return list_of(pairs, offsets)

    def _lists(
        self, total: int, absent: NDArray[np.bool_], parts: list[tuple[NDArray[np.int32], NDArray[Any]]]
    ) -> pa.Array:
        if not parts:
            return pa.nulls(total, _ARRAY)
        counts = np.zeros(total, np.int32)
        for at, values in parts:
            counts[at] = (values >= 0).sum(axis=1)
        offsets = np.zeros(total + 1, np.int32)
        np.cumsum(counts, out=offsets[1:])
        codes = np.zeros(int(offsets[-1]), np.int32)
        for at, values in parts:
            for column in range(values.shape[1]):
                has = values[:, column] >= 0
                codes[offsets[at[has]] + column] = values[has, column]
        text = self._texts.take(codes)
        rest = [pa.nulls(len(codes), field.type) for field in list(_LEAF)[1:]]
        leaves = pa.StructArray.from_arrays([text, *rest], fields=list(_LEAF))
        return pa.StructArray.from_arrays([list_of(leaves, offsets)], fields=list(_ARRAY), mask=pa.array(absent))


def list_of(items: pa.Array, offsets: NDArray[np.int32]) -> pa.Array:
    """Return the items grouped into lists, with the field name and nullability of the wire contract."""
    kind = pa.list_(pa.field("item", items.type, nullable=False))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), items, type=kind)

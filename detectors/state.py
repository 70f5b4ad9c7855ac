"""State as arrays and records: room for more streams, and a form that says what is in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from detectors.errors import StateError

Layout: TypeAlias = Mapping[str, tuple[tuple[int, ...], str]]
Arrays: TypeAlias = dict[str, NDArray[Any]]

CACHE_LINE = 64  # bytes


def blank(layout: Layout, streams: int) -> Arrays:
    """Give zeroed arrays of `layout` for so many streams."""
    return {name: np.zeros((streams, *shape), dtype) for name, (shape, dtype) in layout.items()}


def records(layout: Layout, streams: int) -> Any:
    """Give zeroed records of `layout`, an `np.recarray` of shape (streams,): what a stream has stands together in memory.

    An update touches nearly all of a stream's state. With an array for each field that is a cache line for each of
    twenty fields; with records it is six in a row, which the processor fetches ahead (measured: three times the speed in
    the order of streams, four times in random order).
    """
    return np.zeros(streams, record_form(layout)).view(np.recarray)


def record_form(layout: Layout) -> np.dtype[Any]:
    """Give the form of the records of `layout`: whole cache lines, the largest fields first."""
    largest_first = sorted(layout.items(), key=lambda item: -np.dtype(item[1][1]).itemsize)
    packed = np.dtype([(name, dtype, shape) for name, (shape, dtype) in largest_first], align=True)
    whole_lines = -(-packed.itemsize // CACHE_LINE) * CACHE_LINE
    fields = packed.fields or {}
    return np.dtype(
        {
            "names": list(fields),
            "formats": [field[0] for field in fields.values()],
            "offsets": [field[1] for field in fields.values()],
            "itemsize": whole_lines,
        },
        align=True,
    )


def without(table: Any, *names: str) -> NDArray[Any]:
    """Give a view of records that lacks some fields."""
    return np.asarray(table)[[name for name in table.dtype.names if name not in names]]


def as_records(layout: Layout, table: NDArray[Any], lacking: tuple[str, ...] = ()) -> Any:
    """Give records of `layout` that share the memory of `table`; the fields that it is `lacking` are zero.

    Raises
    ------
    StateError
        The fields are not those of `layout`.
    """
    form = record_form(layout)
    table = turned(form, table)
    mine = fields_of(form)
    theirs = fields_of(table.dtype)
    other = [name for name, *_ in theirs if name not in layout]
    other += [field[0] for field in mine if field not in theirs and field[0] not in lacking]
    if other or form.itemsize != table.dtype.itemsize:
        raise StateError(
            "detector state of another build of this version",
            ", ".join(other[:5]) or f"records of {table.dtype.itemsize} bytes",
            "remove this checkpoint; the streams learn their reference anew",
        )
    return np.ndarray(len(table), form, table).view(np.recarray)


def turned(form: np.dtype[Any], table: NDArray[Any]) -> NDArray[Any]:
    """Give `table`, with the arrays turned that `form` has with their axes the other way round; most have none."""
    wanted = {name: kind for name, kind, _ in fields_of(form)}
    fields = fields_of(table.dtype)
    formats = [
        wanted[name] if name in wanted and wanted[name].shape[::-1] == kind.shape else kind for name, kind, _ in fields
    ]
    if formats == [kind for _, kind, _ in fields]:
        return table
    places = [at for *_, at in fields]
    names = [name for name, *_ in fields]
    told = {"names": names, "formats": formats, "offsets": places, "itemsize": table.dtype.itemsize}
    other = np.zeros(len(table), np.dtype(cast(Any, told)))
    for name, kind in zip(names, formats, strict=True):
        other[name] = table[name] if kind == table.dtype[name] else table[name].swapaxes(1, 2)
    return other


def fields_of(form: np.dtype[Any]) -> list[tuple[str, np.dtype[Any], int]]:
    """Give name, type and place (in bytes) of each field, in their order."""
    fields = cast(Mapping[str, tuple[np.dtype[Any], int]], form.fields or {})
    return [(name, *fields[name][:2]) for name in form.names or ()]


def described(form: np.dtype[Any]) -> dict[str, Any]:
    """Say in JSON what records of this form hold: length, and of each field name, type, shape and place, in bytes."""
    listed = [[name, kind.base.str, list(kind.shape), at] for name, kind, at in fields_of(form)]
    return {"length": form.itemsize, "fields": listed}


def form_of(told: Mapping[str, Any]) -> np.dtype[Any]:
    """Give the form that `described` told."""
    names, types, shapes, places = zip(*told["fields"], strict=True)
    formats = [(kind, tuple(shape)) for kind, shape in zip(types, shapes, strict=True)]
    return np.dtype({"names": names, "formats": formats, "offsets": places, "itemsize": told["length"]})


def columns(table: Any) -> Arrays:
    """Give each field of `records` as an array that shares their memory."""
    return {name: np.asarray(table[name]) for name in table.dtype.names}


def resized(arrays: Mapping[str, NDArray[Any]], streams: int) -> Arrays:
    """Give the same arrays with room for `streams`; new streams are zero."""
    grown: Arrays = {}
    for name, array in arrays.items():
        target = np.zeros((streams, *array.shape[1:]), array.dtype)
        kept = min(streams, len(array))
        target[:kept] = array[:kept]
        grown[name] = target
    return grown


def column(rows: pl.DataFrame, name: str) -> NDArray[Any]:
    """Give a column as a read-only array: always the same type, so that each kernel is compiled once."""
    array = rows[name].to_numpy().view()
    array.flags.writeable = False
    return array

"""Values inside JSON texts: ``langfuse.observation.usage_details``, ``mlflow.chat.tokenUsage`` and their like, as columns.

Only rows that carry such a key are looked at, and of them only the distinct texts; a batch without one costs nothing.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from pipelines.contracts.dialects import embedded_aliases
from pipelines.stages.attributes import Keyed


def embedded(keyed: Keyed, rows: int) -> dict[str, pl.Series]:
    """Return canonical columns from JSON inside attributes, for those columns that any row has.

    Parameters
    ----------
    keyed : Keyed
        The attributes of the spans.
    rows : int
        How many spans there are.

    Returns
    -------
    dict of str to pl.Series
        (rows,) by column: String, or Float64 for the type ``int``. What is no JSON, or has no such path, is null; a plain
        text under the path ``$`` is itself.
    """
    found: dict[str, pl.Series] = {}
    for column, key, path, kind in embedded_aliases().select("column", "key", "path", "type").iter_rows():
        for code in keyed.spellings.get(key, ()):
            values = _scattered(keyed, code, path, rows)
            values = values.cast(pl.Float64, strict=False) if kind == "int" else values
            if values.null_count() < rows:  # the aliases come by priority: an earlier one stays
                found[column] = found[column].fill_null(values) if column in found else values.alias(column)
    return found


def texts_of(keyed: Keyed, code: int) -> tuple[pl.Series, pl.Series]:
    """Return the owners of a key, each once, and the text of its value (JSON text where it was sent as an object)."""
    places = keyed.rows(code)
    taken = pl.DataFrame({"owner": keyed.owner[places], "text": keyed.take("string", places)})
    taken = taken.with_columns(pl.col("text").fill_null(keyed.take("nested", places)))
    taken = taken.filter(pl.col("text").is_not_null()).unique("owner", keep="first", maintain_order=True)
    return taken["owner"], taken["text"]


def _scattered(keyed: Keyed, code: int, path: str, rows: int) -> pl.Series:
    owners, texts = texts_of(keyed, code)
    distinct = texts.unique()
    values = distinct.str.json_path_match(path)
    if path == "$":
        values = values.fill_null(distinct)
    found = texts.replace_strict(distinct, values, default=None, return_dtype=pl.String)
    place = np.full(rows, len(found), dtype=np.uint32)
    place[owners.to_numpy()] = np.arange(len(found))
    return pl.concat([found, pl.Series([None], dtype=pl.String)]).gather(pl.Series(place))

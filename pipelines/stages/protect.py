"""What may be stored of a span's text: the content policy of its workflow, and credentials known by their key.

Stands between the canonical columns and the JSON of the rest: what it takes out is never written. With no policy stated,
and no key that names a credential, the tables come back as they are.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from pipelines.contracts.content import CLASSES, ContentPolicy, classes
from pipelines.stages.decode import Decoded
from pipelines.stages.mask import MASK, digest, names_secret

_HASH, _MASK, _DROP = 1, 2, 3
_VALUES = ("bool", "int", "double", "items", "nested")


def protected(
    decoded: Decoded, used: pl.Series, spans: pl.DataFrame, policy: ContentPolicy, hash_key: str
) -> tuple[Decoded, pl.Series]:
    """Return the tables as they may be written, and which attributes are not to be.

    Parameters
    ----------
    decoded : Decoded
    used : pl.Series
        (attributes,) bool: canonical columns hold these already.
    spans : pl.DataFrame
        workflow (null where the span names none) and kind, row for row as decoded.
    policy : ContentPolicy
    hash_key : str
        Keys the digests that stand in for hashed content.
    """
    decoded = replace(
        decoded,
        attributes=_without_credentials(decoded.attributes),
        resource_attributes=_without_credentials(decoded.resource_attributes),
        event_attributes=_without_credentials(decoded.event_attributes),
    )
    if policy.keeps_everything:
        return decoded, used
    levels = _levels(spans, policy)
    tools = (spans["kind"] == "tool").to_numpy()
    owner = decoded.attributes["owner"].to_numpy()
    own = _treatment(decoded.attributes["key"], owner, levels, tools, "")
    of_event = decoded.events["span"].to_numpy()
    on_events = np.zeros(len(decoded.event_attributes), dtype=np.int8)
    event_of = decoded.event_attributes["owner"].to_numpy()
    names = decoded.events["name"].gather(decoded.event_attributes["owner"])
    for name in names.unique():
        rows = (names == name).to_numpy()
        keys = decoded.event_attributes["key"].filter(pl.Series(rows))
        on_events[rows] = _treatment(keys, of_event[event_of[rows]], levels, tools, str(name))
    return (
        replace(
            decoded,
            attributes=_treated(decoded.attributes, own, hash_key),
            event_attributes=_treated(decoded.event_attributes, on_events, hash_key).filter(
                pl.Series(on_events != _DROP)
            ),
        ),
        used | pl.Series(own == _DROP),
    )


def _without_credentials(attributes: pl.DataFrame) -> pl.DataFrame:
    keys = attributes.select(pl.col("key").unique())
    named = keys.filter(names_secret(pl.col("key")))["key"]
    if named.is_empty():
        return attributes
    return _replaced(attributes, attributes["key"].is_in(named.implode()).to_numpy(), lambda texts: [MASK] * len(texts))


def _levels(spans: pl.DataFrame, policy: ContentPolicy) -> np.ndarray[Any, Any]:
    """(spans, classes) int8: how strictly each class is treated on each span."""
    own = policy.by_workflow or {}
    columns = [
        spans["workflow"]
        .replace_strict(
            {name: levels[place] for name, levels in own.items()},
            default=policy.default[place],
            return_dtype=pl.Int8,
        )
        .fill_null(policy.default[place])
        .to_numpy()
        for place in range(len(CLASSES))
    ]
    return np.stack(columns, axis=1)


def _treatment(
    keys: pl.Series, span: np.ndarray[Any, Any], levels: np.ndarray[Any, Any], tools: np.ndarray[Any, Any], event: str
) -> np.ndarray[Any, Any]:
    """(attributes,) int8: how strictly each is treated; keys are classed once per distinct one."""
    known = classes(keys.unique(), event)
    treatment = np.zeros(len(keys), dtype=np.int8)
    if not known:
        return treatment
    bits = [
        keys.replace_strict(
            {key: both[place] for key, both in known.items()}, default=0, return_dtype=pl.Int8
        ).to_numpy()
        for place in (0, 1)
    ]
    held = np.where(tools[span], bits[1], bits[0])
    for place in range(len(CLASSES)):
        np.maximum(treatment, np.where(held & (1 << place), levels[span, place], 0), out=treatment)
    return treatment


def _treated(attributes: pl.DataFrame, treatment: np.ndarray[Any, Any], hash_key: str) -> pl.DataFrame:
    attributes = _replaced(
        attributes, treatment == _MASK, lambda texts: [f"[masked {len(text)} characters]" for text in texts]
    )
    return _replaced(
        attributes, treatment == _HASH, lambda texts: [f"[hash {digest(text, hash_key)}]" for text in texts]
    )


def _replaced(attributes: pl.DataFrame, rows: np.ndarray[Any, Any], by: Any) -> pl.DataFrame:
    """Put what `by` makes of each distinct text in its place; a number, list or object counts as its text."""
    where = np.flatnonzero(rows)
    if not len(where):
        return attributes
    texts = attributes[where].select(
        text=pl.coalesce(
            "string",
            pl.col("int").cast(pl.String),
            pl.col("double").cast(pl.String),
            pl.col("bool").cast(pl.String),
            pl.col("items").list.eval(pl.element().fill_null("")).list.join(", "),
            "nested",
            pl.lit(""),
        )
    )["text"]
    distinct = texts.unique()
    new = texts.replace_strict(distinct, pl.Series(by(distinct.to_list()), dtype=pl.String), return_dtype=pl.String)
    touched = pl.Series(rows)
    return attributes.with_columns(
        attributes["string"].scatter(where, new).alias("string"),
        *(pl.when(~touched).then(pl.col(name)).alias(name) for name in _VALUES),
    )

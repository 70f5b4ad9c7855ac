"""What may be stored of a span's text: the content policy of its workflow, and credentials known by their key.

Stands between the canonical columns and the JSON of the rest: what it takes out is never written. With no policy stated,
and no key that names a credential, the tables come back as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

from pipelines.contracts.content import CLASSES, ContentPolicy, classes
from pipelines.stages.attributes import VALUES, Keyed
from pipelines.stages.mask import MASK, digest, names_secret

_HASH, _MASK, _DROP = 1, 2, 3
_Mask = np.ndarray[Any, Any]


def protected(
    own: tuple[Keyed, _Mask],
    of_resources: tuple[Keyed, _Mask],
    of_events: Keyed,
    events: pl.DataFrame,
    spans: pl.DataFrame,
    policy: ContentPolicy,
    hash_key: str,
) -> tuple[tuple[Keyed, _Mask], tuple[Keyed, _Mask], Keyed]:
    """Return the attributes of spans, resources and events as they may be written.

    Parameters
    ----------
    own, of_resources : (Keyed, (n,) bool)
        The attributes of spans and of resources, and which of them are to be written.
    of_events : Keyed
    events : pl.DataFrame
        span and name of each event.
    spans : pl.DataFrame
        workflow and kind as the span itself has them, row for row as decoded.
    policy : ContentPolicy
    hash_key : str
        Keys the digests that stand in for hashed content.
    """
    keyed, keep = own
    keyed, of_events = _without_credentials(keyed), _without_credentials(of_events)
    of_resources = (_without_credentials(of_resources[0]), of_resources[1])
    if policy.keeps_everything:
        return (keyed, keep), of_resources, of_events
    levels = _levels(spans, policy)
    tools = (spans["kind"] == "tool").to_numpy()
    treatment = _treatment(keyed.keys, keyed.codes, keyed.owner, levels, tools, "")
    own = (_treated(keyed, treatment, hash_key), keep & (treatment != _DROP))
    if len(of_events.attributes):
        on_events = np.zeros(len(of_events.codes), dtype=np.int8)
        span_of = events["span"].to_numpy()[of_events.owner]
        names = events["name"].gather(pl.Series(of_events.owner))
        for name in names.unique():
            rows = (names == name).to_numpy()
            on_events[rows] = _treatment(of_events.keys, of_events.codes[rows], span_of[rows], levels, tools, str(name))
        of_events = _treated(of_events, on_events, hash_key)
        if (on_events == _DROP).any():
            of_events = Keyed(of_events.attributes.filter(pl.Series(on_events != _DROP)))
    return own, of_resources, of_events


def _without_credentials(keyed: Keyed) -> Keyed:
    keys = pl.DataFrame({"key": keyed.keys}, schema={"key": pl.String})
    named = keys.select(names_secret(pl.col("key"))).to_series().to_numpy()
    if not named.any():
        return keyed
    return _replaced(keyed, named[keyed.codes], lambda texts: [MASK] * len(texts))


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
    keys: list[str], codes: _Mask, span: _Mask, levels: _Mask, tools: _Mask, event: str
) -> np.ndarray[Any, Any]:
    """(attributes,) int8: how strictly each is treated; keys are classed once per distinct one."""
    known = classes(keys, event)
    treatment = np.zeros(len(codes), dtype=np.int8)
    if not known:
        return treatment
    bits = np.array([known.get(key, (0, 0)) for key in keys], dtype=np.int8)[codes]
    held = np.where(tools[span], bits[:, 1], bits[:, 0])
    for place in range(len(CLASSES)):
        np.maximum(treatment, np.where(held & (1 << place), levels[span, place], 0), out=treatment)
    return treatment


def _treated(keyed: Keyed, treatment: _Mask, hash_key: str) -> Keyed:
    keyed = _replaced(keyed, treatment == _MASK, lambda texts: [f"[masked {len(text)} characters]" for text in texts])
    return _replaced(keyed, treatment == _HASH, lambda texts: [f"[hash {digest(text, hash_key)}]" for text in texts])


def _replaced(keyed: Keyed, rows: _Mask, by: Callable[[list[str]], list[str]]) -> Keyed:
    """Put what `by` makes of each distinct text in its place; a number, list or object counts as its text."""
    where = np.flatnonzero(rows)
    if not len(where):
        return keyed
    attributes = keyed.attributes
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
    return keyed.with_values(
        attributes.with_columns(
            attributes["string"].scatter(where, new).alias("string"),
            *(pl.when(~touched).then(pl.col(name)).alias(name) for name in VALUES[1:]),
        )
    )

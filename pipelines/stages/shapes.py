"""Shapes of tool arguments, and digests that are the same on every machine."""

from __future__ import annotations

from hashlib import blake2b

import polars as pl


def digests(texts: pl.Series) -> pl.Series:
    """16 hex digits per text, the same on every machine and in every version; hashed once per distinct text."""
    distinct = texts.drop_nulls().unique()
    table = {text: blake2b(text.encode(), digest_size=8).hexdigest() for text in distinct}
    return texts.replace_strict(table, default=None, return_dtype=pl.String).alias("digest")


def shape(arguments: pl.Expr) -> pl.Expr:
    """A JSON argument object's keys and value types: the same text whatever the values and the order of keys."""
    shape = (
        arguments.str.replace_all(r'"((?:[^"\\]|\\.)*)"\s*:', "<$1>")
        .str.replace_all(r'"(?:[^"\\]|\\.)*"', "s")
        .str.replace_all(r"-?\b\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\b", "n")
        .str.replace_all(r"\b(?:true|false)\b", "b")
        .str.replace_all(r"\s+", "")
        .str.replace_all(r"([snb])(?:,[snb])+\]", "$1]")
    )
    # Key order is the emitter's whim: sort the parts. Nested objects keep their text order within a part.
    return shape.str.strip_chars("{}").str.split(",").list.sort().list.join(",")

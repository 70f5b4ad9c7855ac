"""Shapes of tool arguments and of inputs, never their values, and digests that are the same on every machine."""

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


def fields(shapes: pl.Series) -> pl.Series:
    """How many named fields a `shape` has, nested ones included; null without a shape."""
    return shapes.str.count_matches("<", literal=True).cast(pl.Int32)


def nulls(arguments: pl.Expr) -> pl.Expr:
    """How many named fields of a JSON argument object are null or an empty text, list or object.

    Examples
    --------
    >>> text = '{"a": null, "b": "", "c": [], "d": "x: null", "e": {"f": 1}}'
    >>> pl.select(nulls(pl.lit(text))).item(), fields(pl.select(shape(pl.lit(text))).to_series())[0]
    (3, 6)
    """
    first_letters = arguments.str.replace_all(r'"((?:[^"\\]|\\.)?)(?:[^"\\]|\\.)*"', '"$1"')
    return first_letters.str.count_matches(r':\s*(?:null|""|\[\s*\]|\{\s*\})')


#: Of a longer input only so much is looked at, in characters.
MOST_INPUT = 4000
#: Letters of another script from which a text counts as written in it.
_LETTERS = 5
#: Scripts by their letters, and by how JSON may escape those.
_SCRIPTS = {
    "arabic": r"\p{Arabic}|\\u06[0-9a-fA-F]{2}",
    "cyrillic": r"\p{Cyrillic}|\\u04[0-9a-fA-F]{2}",
    "devanagari": r"\p{Devanagari}|\\u09[0-7][0-9a-fA-F]",
    "greek": r"\p{Greek}|\\u03[7-9a-fA-F][0-9a-fA-F]",
    "han": r"\p{Han}|\\u[4-9][0-9a-fA-F]{3}",
    "hangul": r"\p{Hangul}|\\u[a-dA-D][0-9a-fA-F]{3}",
    "hebrew": r"\p{Hebrew}|\\u05[d-fD-F][0-9a-fA-F]",
    "kana": r"[\p{Hiragana}\p{Katakana}]|\\u30[4-9a-fA-F][0-9a-fA-F]",
    "thai": r"\p{Thai}|\\u0[eE][0-7][0-9a-fA-F]",
}


def formats(inputs: pl.Series) -> pl.Series:
    r"""What an input looks like: ``text``, ``messages`` or ``list`` with the script it is written in, or an object's fields.

    Parameters
    ----------
    inputs : (n,) String
        Inputs, at most `MOST_INPUT` characters of each.

    Returns
    -------
    (n,) String
        For example ``messages, latin``, ``text, han``, ``object 4be2c1f0`` (a digest of names and types of its fields),
        ``object, cut`` where it was longer than is looked at; null for no input or an empty one.

    Examples
    --------
    >>> asked = ["Wo ist mein Paket?", '[{"role": "user", "content": "\u0433\u0434\u0435 \u043c\u043e\u0439"}]', " "]
    >>> formats(pl.Series(asked)).to_list()
    ['text, latin', 'messages, cyrillic', None]
    >>> a, b, c = formats(pl.Series(['{"id": 7, "name": "x"}', '{"name": "y", "id": 8}', '{"id": "7", "name": "x"}']))
    >>> a == b != c
    True
    """
    distinct = inputs.drop_nulls().unique(maintain_order=True).to_frame("text")
    text = pl.col("text").str.strip_chars()
    is_object, is_list = text.str.starts_with("{"), text.str.starts_with("[")
    says = text.str.contains(r'"role"\s*:')
    told = distinct.with_columns(
        form=pl.when(text == "")
        .then(None)
        .when((is_object | is_list) & says)
        .then(pl.lit("messages"))
        .when(is_list)
        .then(pl.lit("list"))
        .when(is_object)
        .then(pl.lit("object"))
        .otherwise(pl.lit("text")),
        script=pl.lit("latin"),
    )
    strange = told["text"].str.contains(r"[^\x00-\u024F]|\\u[0-9a-fA-F]{4}")
    if strange.any():
        letters = told.filter(strange).select(
            pl.col("text").str.count_matches(pattern).alias(name) for name, pattern in _SCRIPTS.items()
        )
        most = pl.max_horizontal(list(_SCRIPTS))
        script = letters.select(
            pl.when(most >= _LETTERS)
            .then(pl.coalesce(pl.when(pl.col(name) == most).then(pl.lit(name)) for name in _SCRIPTS))
            .otherwise(pl.lit("latin"))
        ).to_series()
        told = told.with_columns(told["script"].scatter(strange.arg_true(), script))
    objects = told["form"] == "object"
    if objects.any():
        whole = told.filter(objects)["text"].str.strip_chars().str.ends_with("}")
        names = digests(told.filter(objects).select(shape(pl.col("text"))).to_series()).str.head(8)
        labelled = pl.select(pl.when(whole).then("object " + names).otherwise(pl.lit("object, cut"))).to_series()
        told = told.with_columns(told["form"].scatter(objects.fill_null(False).arg_true(), labelled), is_object=objects)
    else:
        told = told.with_columns(is_object=pl.lit(False))
    said = told.select(
        "text",
        said=pl.when("is_object").then("form").otherwise(pl.concat_str("form", "script", separator=", ")),
    )
    return inputs.replace_strict(said["text"], said["said"], default=None, return_dtype=pl.String)

"""Outcomes that another system states, often days later, on a topic or in files of their own: JSON messages to fact rows.

A message is one object, an array of objects, or JSON lines; ``contracts/agent_outcome.schema.json`` says what an object
holds. What is wrong with one element is told with the element's number, and the good ones beside it are kept.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any

import polars as pl

from pipelines.sources.base import MESSAGE_SCHEMA
from pipelines.stages.mask import digest, masked, pseudonymised
from pipelines.stages.normalise import AHEAD, EARLIEST

STATUSES = ("success", "failure", "escalated", "abandoned")
REASON = "invalid_outcome"

_TEXTS = ("run_id", "trace_id", "session_id", "status", "name", "source")
_FIELDS: dict[str, Any] = {
    **dict.fromkeys(("run_id", "trace_id", "session_id", "status", "name"), pl.String),
    "value_usd": pl.Float64,
    "at": pl.String,
    "source": pl.String,
}
_ELEMENT: dict[str, Any] = {"message": pl.UInt32, "element": pl.UInt32, **_FIELDS, "problem": pl.String}
#: What Polars makes of an object or an array where text belongs.
_NO_TEXT = r"^[{\[]"
#: At most this many wrong elements of a message are told one by one.
_TOLD = 5


def stated_outcomes(messages: pl.DataFrame, *, now: datetime, hash_key: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rows of table ``outcomes`` that messages state, and what of them could not be read.

    Parameters
    ----------
    messages : pl.DataFrame
        ``pipelines.sources.base.MESSAGE_SCHEMA``, of outcomes alone.
    now : datetime
        The reader's clock, UTC without zone: a statement more than a day ahead of it is refused, for it would hold forever.
    hash_key : str
        Keys the digests that stand in for ids that hold a secret, as on spans.

    Returns
    -------
    pl.DataFrame
        One row per statement; ``outcome_id`` follows from what is stated, so that a repeated one has the same.
    pl.DataFrame
        message (row of `messages`), reason, detail: one row per message with anything wrong in it.
    """
    if messages.is_empty():  # as nearly always: what comes out is made once
        return _nothing()
    return _stated(messages, now, hash_key)


@cache
def _nothing() -> tuple[pl.DataFrame, pl.DataFrame]:
    return _stated(pl.DataFrame(schema=MESSAGE_SCHEMA), datetime.min, "")


def _stated(messages: pl.DataFrame, now: datetime, hash_key: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    elements = _elements(messages["value"])
    place = messages.select("topic", "partition", "offset", "message_at").with_row_index("message")
    rows = elements.join(place, on="message", maintain_order="left").with_columns(
        status=pl.col("status").str.strip_chars().str.to_lowercase(),
        moment=pl.when(pl.col("at").is_null()).then(pl.col("message_at")).otherwise(_moments(elements["at"])),
        **{name: _present(name) for name in ("run_id", "trace_id", "session_id")},
    )
    rows = rows.with_columns(problem=_problem(now))
    good = pseudonymised(
        rows.filter(pl.col("problem").is_null()).with_columns(_hex_id("run_id"), _hex_id("trace_id")),
        ("run_id", "trace_id", "session_id", "name", "source"),
        hash_key,
    )
    return _facts(good), _dead(rows)


def _elements(values: pl.Series) -> pl.DataFrame:
    """One row per stated object. Arrays, lines and objects go through Polars; where that fails, message by message."""
    texts = pl.Series([_decoded(value) for value in values], dtype=pl.String).str.strip_chars(" \t\r\n\ufeff")
    frame = pl.DataFrame({"text": texts}).with_row_index("message")
    starts_array = pl.col("text").str.starts_with("[")
    # A raw line break is no content in JSON: between a closing and an opening brace it parts two objects.
    lines = frame.filter(pl.col("text").str.starts_with("{")).with_columns(
        text=pl.col("text")
        .str.replace_all(r"\}[ \t\r]*\n\s*\{", "}\x00{")
        .str.replace_all(r"[\r\n]+", " ")
        .str.split("\x00")
    )
    several = lines.filter(pl.col("text").list.len() > 1)["message"]
    parts = [
        _read(lines.explode("text"), lambda texts: _read_lines(texts, several), frame),
        _read(frame.filter(starts_array), _read_arrays, frame),
        _slowly(frame.filter(~starts_array & ~pl.col("text").str.starts_with("{") | pl.col("text").is_null())),
    ]
    return pl.concat(parts).sort("message", "element", nulls_last=True)


def _decoded(value: bytes | None) -> str | None:
    try:
        return (value or b"").decode("utf-8")
    except UnicodeDecodeError:
        return None


def _read(texts: pl.DataFrame, reader: Callable[[pl.DataFrame], pl.DataFrame], whole: pl.DataFrame) -> pl.DataFrame:
    if texts.is_empty():
        return pl.DataFrame(schema=_ELEMENT)
    try:
        return reader(texts)
    except pl.exceptions.PolarsError:
        return _slowly(whole.join(texts.select("message").unique(), on="message", how="semi", maintain_order="left"))


def _read_lines(texts: pl.DataFrame, several: pl.Series) -> pl.DataFrame:
    read = pl.read_ndjson(io.BytesIO("\n".join(texts["text"]).encode()), schema=_FIELDS)
    if len(read) != len(texts):
        raise pl.exceptions.ComputeError("not one object per line")
    rows = _numbered(texts.select("message").hstack(read))
    return rows.with_columns(element=pl.when(pl.col("message").is_in(several.implode())).then("element"))


def _read_arrays(texts: pl.DataFrame) -> pl.DataFrame:
    arrays = texts.with_columns(pl.col("text").str.json_decode(pl.List(pl.Struct(_FIELDS))))
    listed = arrays.explode("text")
    if (arrays["text"].list.len() == 0).any() or listed["text"].null_count():
        raise pl.exceptions.ComputeError("an element that is no object, or an empty array")
    return _numbered(listed.unnest("text"))


def _numbered(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(
        "message",
        pl.int_range(1, pl.len() + 1, dtype=pl.UInt32).over("message").alias("element"),
        *_FIELDS,
        pl.lit(None, dtype=pl.String).alias("problem"),
    )


def _slowly(texts: pl.DataFrame) -> pl.DataFrame:
    """Element by element, for messages that are not all well: each says what is wrong with it."""
    rows: list[dict[str, Any]] = []
    for message, text in texts.iter_rows():
        rows.extend({"message": message, **row} for row in _told(text))
    return pl.DataFrame(rows, schema=_ELEMENT)


def _told(text: str | None) -> list[dict[str, Any]]:
    if not text:
        return [{"problem": "the text is not UTF-8" if text is None else "the message has no bytes"}]
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        found = [_line(line) for line in text.splitlines() if line.strip()]
        if len(found) == 1:
            return found
        return [{"element": number, **row} for number, row in enumerate(found, 1)]
    if not isinstance(document, list):
        return [_fields(document)]
    if not document:
        return [{"problem": "the array is empty"}]
    return [{"element": number, **_fields(each)} for number, each in enumerate(document, 1)]


def _line(text: str) -> dict[str, Any]:
    try:
        return _fields(json.loads(text))
    except (ValueError, RecursionError) as error:
        return {"problem": f"not JSON: {' '.join(str(error).split())[:120]}"}


def _fields(document: Any) -> dict[str, Any]:
    if not isinstance(document, dict):
        return {"problem": f"not a JSON object but {json.dumps(document)[:40]}"}
    row: dict[str, Any] = {}
    for name in (*_TEXTS, "at"):
        value = document.get(name)
        if isinstance(value, (dict, list)):
            return {"problem": f"{name} is {json.dumps(value)[:40]}, not text"}
        row[name] = value if value is None or isinstance(value, str) else json.dumps(value)
    value = document.get("value_usd")
    try:
        row["value_usd"] = None if value is None or isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        row["problem"] = f"value_usd is {json.dumps(value)[:40]}, not a number"
    return row


def _moments(texts: pl.Series) -> pl.Series:
    """ISO 8601 as UTC without a zone, a time without one taken as UTC; null where it can't be read."""
    table: dict[str, datetime | None] = {}
    for text in texts.drop_nulls().unique():
        try:
            at = datetime.fromisoformat(text.strip())
        except ValueError:
            table[text] = None
        else:
            table[text] = at.astimezone(UTC).replace(tzinfo=None) if at.tzinfo else at
    return texts.replace_strict(
        pl.Series(list(table), dtype=pl.String),
        pl.Series(list(table.values()), dtype=pl.Datetime("us")),
        default=None,
        return_dtype=pl.Datetime("us"),
    )


def _present(name: str) -> pl.Expr:
    text = pl.col(name).str.strip_chars()
    return pl.when(text != "").then(text)


def _hex_id(name: str) -> pl.Expr:
    """A trace id however it is written (capitals, a UUID's dashes, 64 bits) as spans carry it; any other as it is."""
    bare = pl.col(name).str.replace_all("-", "").str.to_lowercase()
    is_hex = pl.col(name).str.contains(r"^[0-9a-fA-F-]{1,36}$") & bare.str.contains(r"^[0-9a-f]{1,32}$")
    return pl.when(is_hex).then(bare.str.zfill(32)).otherwise(pl.col(name)).alias(name)


def _problem(now: datetime) -> pl.Expr:
    def shown(name: str) -> pl.Expr:
        return pl.lit(f"{name} is ") + pl.col(name).str.head(40)

    allowed = ", ".join(STATUSES)
    return (
        pl.when(pl.col("problem").is_not_null())
        .then("problem")
        .when(pl.any_horizontal(pl.col(name).str.contains(_NO_TEXT) for name in _TEXTS))
        .then(
            pl.coalesce(pl.when(pl.col(name).str.contains(_NO_TEXT)).then(shown(name)) for name in _TEXTS)
            + ", not text"
        )
        .when(pl.all_horizontal(pl.col(name).is_null() for name in ("run_id", "trace_id", "session_id")))
        .then(pl.lit("no run_id, trace_id or session_id"))
        .when(pl.col("status").is_null())
        .then(pl.lit(f"no status: one of {allowed}"))
        .when(~pl.col("status").is_in(STATUSES))
        .then(shown("status") + pl.lit(f", none of {allowed}"))
        .when(pl.col("value_usd").is_nan() | pl.col("value_usd").is_infinite())
        .then(pl.lit("value_usd is not finite"))
        .when(pl.col("moment").is_null())
        .then(shown("at") + pl.lit(", not an ISO 8601 time"))
        .when(pl.col("at").is_not_null() & ~pl.col("moment").is_between(EARLIEST, now + AHEAD))
        .then(shown("at") + pl.lit(", before 2015 or more than a day ahead"))
    )


def _facts(good: pl.DataFrame) -> pl.DataFrame:
    content = good.select(
        pl.concat_str(
            *(pl.col(name).cast(pl.String).fill_null("") for name in (*_TEXTS, "value_usd", "moment")), separator="\x1f"
        )
    ).to_series()
    return good.select(
        pl.Series("outcome_id", [digest(text, "") for text in content], dtype=pl.String),
        "run_id",
        "trace_id",
        "session_id",
        pl.lit(None, dtype=pl.String).alias("workflow"),
        "status",
        "name",
        "value_usd",
        pl.lit(None, dtype=pl.Float64).alias("score"),
        pl.col("moment").alias("at"),
        pl.lit("topic").alias("source"),
        pl.col("source").alias("stated_by"),
        "topic",
        "partition",
        "offset",
    ).unique("outcome_id", keep="first", maintain_order=True)


def _dead(rows: pl.DataFrame) -> pl.DataFrame:
    wrong = rows.filter(pl.col("problem").is_not_null()).with_columns(
        told=pl.when(pl.col("element").is_not_null())
        .then(pl.lit("element ") + pl.col("element").cast(pl.String) + pl.lit(": ") + pl.col("problem"))
        .otherwise("problem")
    )
    return (
        wrong.group_by("message", maintain_order=True)
        .agg(detail=pl.col("told").head(_TOLD).str.join("; "), more=pl.len().cast(pl.Int64) - _TOLD)
        .select(
            "message",
            reason=pl.lit(REASON),
            detail=masked(pl.col("detail"))
            + pl.when(pl.col("more") > 0)
            .then(pl.lit("; and ") + pl.col("more").cast(pl.String) + pl.lit(" more"))
            .otherwise(pl.lit("")),
        )
    )

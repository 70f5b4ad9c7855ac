"""Secrets are masked before anything is stored: keys, tokens, card numbers and e-mail addresses in trace text.

What a secret looks like is data (:mod:`pipelines.contracts.secrets`). Each distinct text is looked at once: a first
expression of cheap hints picks the few that may hold a secret, and only those meet the rules.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from hashlib import blake2b

import polars as pl

from pipelines.contracts.secrets import Rule, rules

MASK = "[masked]"
CUT = "…[cut]"
#: Names, versions and ids are no prose: what is longer is cut, in characters.
LONGEST_NAME = 500

_TRACER_ID = r"^(?:[0-9a-f]{16}|[0-9a-f]{32})$"
_TEXT_TYPES = (pl.String, pl.List(pl.String))
_TRACER_IDS = ("trace_id", "span_id", "parent_span_id", "run_id", "evaluated_span_id")
_TRACER_ID = r"^(?:[0-9a-f]{16}|[0-9a-f]{32})$"
#: 13 to 19 digits in groups, the first of a card's; Luhn's sum and the issuer decide.
_CARD = r"(?:\\[nrtbf]|[A-Za-z_])?[0-9](?:[ -]?[0-9]){12,47}[A-Za-z_]?"
_CARD_HINT = r"[2-6][0-9]{3}[ -]?[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]|3[0-9]{3}[ -]?[0-9]{6}[ -]?[0-9]{4}"
_ISSUERS = re.compile(
    r"4\d{12}(?:\d{3}){0,2}|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}"
    r"|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}|6(?:011|5\d\d|4[4-9]\d)\d{12}|35\d{14}|62\d{14,17}"
)
#: A number of a JSON text that was masked needs quotes.
_BARE = r"([:\[,]\s*)\[masked\](\s*[,}\]])"
#: An attribute whose name says that its value is a credential, whatever it looks like.
_CREDENTIAL = (
    r"(?i)(?:^|[._-])(?:passw(?:or)?d|passphrase|secret|secret[._-]?key|client[._-]?secret|api[._-]?key|x-api-key"
    r"|authorization|proxy-authorization|cookie|set-cookie|credentials?|private[._-]?key"
    r"|(?:access|refresh|auth|id|session|bearer)[._-]?token)$"
)


def masked(text: pl.Expr) -> pl.Expr:
    """Return text with every secret replaced by ``[masked]``."""
    return text.map_batches(masked_texts, return_dtype=pl.String, is_elementwise=True)


def masked_texts(texts: pl.Series) -> pl.Series:
    """Return a series of texts with every secret in them replaced by ``[masked]``; nulls stay.

    Examples
    --------
    >>> masked_texts(pl.Series(["ask ann@example.com", "pay with 4111 1111 1111 1111 now", None])).to_list()
    ['ask [masked]', 'pay with [masked] now', None]
    """
    suspects, clean = _changes(texts)
    if suspects.is_empty():
        return texts
    return texts.replace(suspects, clean)


def cut_name(name: pl.Expr) -> pl.Expr:
    """Return names with the long ones cut, and the cut marked."""
    long = name.str.len_chars() > LONGEST_NAME
    return pl.when(long).then(name.str.head(LONGEST_NAME - len(CUT)) + CUT).otherwise(name)


def pseudonymised(frame: pl.DataFrame, columns: Sequence[str] | None, key: str) -> pl.DataFrame:
    """Return rows whose ids and names hold no secret and are not too long; equal ones stay equal.

    Parameters
    ----------
    frame : pl.DataFrame
    columns : sequence of str, or None
        Columns of type String or List(String); None for all of them. All are looked at in one go.
    key : str
        Keys the digest; without one, whoever has a list of candidates (e-mail addresses) can find the id again.

    Returns
    -------
    pl.DataFrame
        With ``[masked 16 hex digits]``, or a beginning and ``…[cut] 16 hex digits``, in place of such an id.
    """
    names = [name for name in (frame.columns if columns is None else columns) if frame.schema[name] in _TEXT_TYPES]
    lists = [name for name in names if frame.schema[name] != pl.String]
    # Digits that look like a card's come up by chance in ids as tracers make them.
    suspects = [
        (frame[name].filter(~frame[name].str.contains(_TRACER_ID)) if name in _TRACER_IDS else frame[name]).unique()
        if name not in lists
        else frame[name].explode().unique()
        for name in names
    ]
    distinct = pl.concat([pl.Series([], dtype=pl.String), *(each.alias("") for each in suspects)]).unique()
    table = _pseudonyms(distinct.drop_nulls(), key)
    if not table:
        return frame
    old, new = list(table), list(table.values())
    return frame.with_columns(
        pl.col(name).list.eval(pl.element().replace(old, new)) if name in lists else pl.col(name).replace(old, new)
        for name in names
    )


def _looked_at(texts: pl.Series) -> pl.Series:
    """Leave out a column's ids as tracers make them where the first one is such: digits in them look like a card's by chance."""
    first = texts.first()
    return (
        texts.filter(~texts.str.contains(_TRACER_ID))
        if isinstance(first, str) and re.match(_TRACER_ID, first)
        else texts
    )


def pseudonyms(ids: pl.Series, key: str) -> pl.Series:
    """Return a series of ids as :func:`pseudonymised` does."""
    return pseudonymised(ids.alias("id").to_frame(), ["id"], key)["id"]


def _pseudonyms(distinct: pl.Series, key: str) -> dict[str, str]:
    secret, _ = _changes(distinct)
    table = {text: f"[masked {digest(text, key)}]" for text in secret}
    long = distinct.filter(distinct.str.len_chars() > LONGEST_NAME)
    # Cutting might break a secret in two, so that no rule knew its first half: those with one are masked whole.
    return {text: f"{text[:100]}{CUT} {digest(text, key)}" for text in long} | table


def digest(text: str, key: str) -> str:
    """Return 16 hex digits that only the same text under the same key gives."""
    return blake2b(text.encode(), digest_size=8, key=blake2b(key.encode()).digest() if key else b"").hexdigest()


def names_secret(key: pl.Expr) -> pl.Expr:
    """Return whether an attribute's name says that its value is a credential."""
    return key.str.contains(_CREDENTIAL)


def _changes(texts: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Return the distinct texts that hold a secret, and what becomes of them."""
    distinct = texts.drop_nulls().unique()
    suspects = distinct.filter(distinct.to_frame("text").select(pl.any_horizontal(_hints())).to_series())
    if suspects.is_empty():
        return suspects, suspects
    clean = _without_secrets(suspects)
    held = clean != suspects
    return suspects.filter(held), clean.filter(held)


def _without_secrets(texts: pl.Series) -> pl.Series:
    pattern, replacement = _own_rules()
    clean = texts.str.replace_all(pattern, replacement)
    rare = clean.str.contains(_vendor_hints())
    if rare.any():
        some = clean.filter(rare).unique()
        after = some
        for rule in _vendors():
            if after.str.contains(rule.hint).any():
                after = after.str.replace_all(rule.pattern, ("${keep}" if "(?P<keep>" in rule.pattern else "") + MASK)
        clean = clean.replace(some, after)
    clean = _without_cards(clean)
    is_json = clean.str.contains(r"^\s*[\[{]") & clean.str.contains(MASK, literal=True)
    if is_json.any():
        clean = clean.zip_with(~is_json, clean.str.replace_all(_BARE, f'${{1}}"{MASK}"${{2}}'))
    return clean


def _without_cards(texts: pl.Series) -> pl.Series:
    suspects = texts.str.contains(_CARD_HINT)
    if not suspects.any():
        return texts
    digits = texts.filter(suspects).str.extract_all(_CARD).explode().drop_nulls().unique()
    cards = sorted({card for run in digits for card in _cards(run)}, key=len, reverse=True)
    return texts.str.replace_many(cards, [MASK] * len(cards), leftmost=True) if cards else texts


def _cards(run: str) -> list[str]:
    """Return the card numbers in a run of digits and separators: at a group's beginning, of their issuer's length."""
    found: list[str] = []
    run = re.sub(r"^\\[nrtbf]", "", run)
    # A letter beside it makes it part of an id.
    starts = [*([0] if run[0].isdigit() else []), *(match.end() for match in re.finditer(r"[ -]", run))]
    after = -1
    for start in starts:
        if start < after:
            continue
        digits = [index for index in range(start, min(len(run), start + 40)) if run[index].isdigit()]
        for length in (19, 18, 17, 16, 15, 14, 13):
            if len(digits) < length:
                continue
            end = digits[length - 1] + 1
            number = "".join(run[index] for index in digits[:length])
            if (end == len(run) or not run[end].isalnum()) and _ISSUERS.fullmatch(number) and _luhn(number):
                found.append(run[start:end])
                after = end
                break
    return found


def _luhn(number: str) -> bool:
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(number))]
    return sum(digit - 9 if digit > 9 else digit for digit in doubled) % 10 == 0


def _own() -> list[Rule]:
    return [rule for rule in rules() if rule.source == "own"]


@cache
def _vendors() -> tuple[Rule, ...]:
    return tuple(rule for rule in rules() if rule.source != "own")


@cache
def _vendor_hints() -> str:
    return "|".join(f"(?:{rule.hint})" for rule in _vendors())


@cache
def _hints() -> tuple[pl.Expr, ...]:
    """Expressions that are true wherever any rule might match.

    Three passes of Rust's regex: as one expression they are too many to search for by literals, and take ten times as long.
    """
    own = "|".join(f"(?:{rule.hint})" for rule in _own())
    return tuple(pl.col("text").str.contains(pattern) for pattern in (own, _vendor_hints(), _CARD_HINT))


@cache
def _own_rules() -> tuple[str, str]:
    """Our rules as one expression, and the replacement that keeps their groups."""
    patterns = [rule.pattern.replace("(?P<keep>", f"(?P<keep{index}>") for index, rule in enumerate(_own())]
    kept = "".join(f"${{keep{index}}}" for index, rule in enumerate(_own()) if "(?P<keep>" in rule.pattern)
    return "|".join(f"(?:{pattern})" for pattern in patterns), kept + MASK

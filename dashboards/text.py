"""Text as people read it: numbers with units, UTC times, and names from traces made safe to show.

Everything that came out of a trace (workflow, model, tool, incident headline) is untrusted. Dash escapes what it puts into
elements, so `plain` only cuts length and takes out what could reorder or hide text; Plotly reads ``<b>``, ``<a href>`` and
entities inside labels, so anything that goes into a figure passes through `label`.
"""

from __future__ import annotations

import html
import re
import unicodedata
from datetime import datetime, timedelta

UNKNOWN = "–"
_NARROW = "\u202f"  # between a number and its unit, where no line may break


# Control and format characters: line breaks, bidirectional overrides, zero-width joiners, byte order marks.
def _visible(character: str) -> str:
    return "\ufffd" if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"} else character


def plain(text: object, limit: int = 60) -> str:
    r"""`text` as one line of at most `limit` characters, control and direction characters made visible.

    Examples
    --------
    >>> plain("refund\u202etxt.exe")
    'refund\ufffdtxt.exe'
    >>> plain("a" * 100, limit=5)
    'aaaa…'
    """
    line = str(text)[: limit + 1]
    if not line.isprintable():
        line = "".join(map(_visible, re.sub(r"[\t\r\n]+", " ", line)))
    return line if len(line) <= limit else line[: limit - 1] + "…"


def label(text: object, limit: int = 48) -> str:
    """`plain` text for a Plotly label: what Plotly would read as markup stays text.

    Examples
    --------
    >>> label("<b>bold</b> & more")
    '&lt;b&gt;bold&lt;/b&gt; &amp; more'
    """
    return html.escape(plain(text, limit), quote=False)


def count(value: float | None) -> str:
    """Whole number with thousands separators.

    Examples
    --------
    >>> count(12345), count(None)
    ('12,345', '–')
    """
    return UNKNOWN if value is None else f"{value:,.0f}"


def counted(value: float, plural: str) -> str:
    """A count with what is counted, whose first word has an ``s`` where it is not one.

    Examples
    --------
    >>> counted(1, "days with a change"), counted(1200, "runs")
    ('1 day with a change', '1,200 runs')
    """
    first, *others = plural.split(" ")
    return " ".join([count(value), first.removesuffix("s") if value == 1 else first, *others])


def usd(value: float | None) -> str:
    """US dollars to three significant digits below 1, to the cent below 10,000, then in thousands or millions.

    Examples
    --------
    >>> usd(0.0423), usd(12.5), usd(48_200), usd(1_250_000), usd(None), usd(0)
    ('$0.0423', '$12.50', '$48.2k', '$1.25M', '–', '$0')
    """
    if value is None:
        return UNKNOWN
    size, sign = abs(value), "−" if value < 0 else ""
    if size == 0:
        return "$0"
    if size >= 1e6:
        return f"{sign}${size / 1e6:,.2f}M"
    if size >= 1e4:
        return f"{sign}${size / 1e3:,.1f}k"
    if size >= 0.995:
        return f"{sign}${size:,.2f}"
    return f"{sign}${significant(size)}"


def significant(value: float, digits: int = 3) -> str:
    """`value` to `digits` significant digits, without an exponent.

    Examples
    --------
    >>> significant(0.00045678), significant(1234.5), significant(12.0)
    ('0.000457', '1,234', '12')
    """
    if value == 0:
        return "0"
    exponent = int(f"{abs(value):.{digits - 1}e}".split("e")[1])
    decimals = min(max(digits - 1 - exponent, 0), 10)
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text and abs(value) >= 1 else text


def percent(value: float | None, digits: int = 1) -> str:
    """A ratio in [0, 1] as a percentage.

    Examples
    --------
    >>> percent(0.9123), percent(1.0), percent(None)
    ('91.2\u202f%', '100\u202f%', '–')
    """
    if value is None:
        return UNKNOWN
    text = f"{100 * value:.{digits}f}"
    return (text.removesuffix("." + "0" * digits) if digits else text) + f"{_NARROW}%"


def measure(value: float | None, unit: str | None) -> str:
    """A measured `value` in its `unit`, as signals carry them.

    Examples
    --------
    >>> measure(0.031, "usd"), measure(0.12, "ratio"), measure(1520, "ms"), measure(2.31, "steps")
    ('$0.0310', '12\u202f%', '1.52\u202fs', '2.31\u202fsteps')
    """
    if value is None:
        return UNKNOWN
    name = (unit or "").lower()
    if name == "usd" or name.startswith(("usd ", "usd/", "usd_")):
        return usd(value) + (f" {plain(name[4:].replace('_', ' '), 20)}" if len(name) > 3 else "")
    if name == "ms" and abs(value) >= 1000:
        return f"{significant(value / 1000)}{_NARROW}s"
    if name in {"ratio", "share", "rate", "probability"}:
        return percent(value)
    return significant(value) + (f"{_NARROW}{plain(unit, 24)}" if unit else "")


def when(value: datetime | None, *, seconds: bool = False) -> str:
    """A UTC time to the minute.

    Examples
    --------
    >>> when(datetime(2026, 3, 8, 9, 5))
    '8 Mar 2026, 09:05 UTC'
    """
    if value is None:
        return UNKNOWN
    clock = "%H:%M:%S" if seconds else "%H:%M"
    return f"{value.day} {value:%b %Y}, {value.strftime(clock)} UTC"


def lasted(value: timedelta | None) -> str:
    """A duration in its two largest units; in one, where that is precise enough.

    Examples
    --------
    >>> lasted(timedelta(hours=26, minutes=5)), lasted(timedelta(seconds=42)), lasted(timedelta(minutes=49, seconds=9))
    ('1 d 2 h', '42 s', '49 min')
    """
    if value is None:
        return UNKNOWN
    seconds = round(value.total_seconds())
    if seconds < 0:
        return f"−{lasted(-value)}"
    parts: list[str] = []
    for name, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        amount, seconds = divmod(seconds, size)
        if amount or parts or name == "s":
            parts.append(f"{amount} {name}" if amount or not parts else "")
        if len(parts) == 2 or amount >= 10:
            break
    return " ".join(part for part in parts if part)


def amount(value: float | None) -> str:
    """A large count to three significant digits, in thousands (k), millions (M) or billions (B).

    Examples
    --------
    >>> amount(950), amount(12_345), amount(4_567_000), amount(None)
    ('950', '12.3k', '4.57M', '–')
    """
    if value is None:
        return UNKNOWN
    for name, size in (("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(value) >= size:
            return significant(value / size) + name
    return count(value)

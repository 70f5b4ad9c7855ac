"""Periods as people write them."""

from __future__ import annotations

from datetime import datetime, timedelta

from pipelines.errors import TerminalError


def period(text: str, flag: str) -> tuple[datetime, datetime]:
    """Return first moment and first moment after a day, ISO week, month, or range of days, UTC.

    Parameters
    ----------
    text : str
        ``2025-08-14``, ``2025-W33``, ``2025-08``, or ``2025-08-01..2025-08-15`` (the last day included).
    flag : str
        Named in the error.

    Raises
    ------
    TerminalError
        It is none of these.

    Examples
    --------
    >>> [str(bound)[:10] for bound in period("2025-W33", "--from")]
    ['2025-08-11', '2025-08-18']
    >>> [str(bound)[:10] for bound in period("2025-08-01..2025-08-15", "--from")]
    ['2025-08-01', '2025-08-16']
    """
    try:
        if ".." in text:
            first, _, last = text.partition("..")
            bounds = _day(first), _day(last) + timedelta(days=1)
        elif "W" in text:
            monday = _read(f"{text}-1", "%G-W%V-%u")
            bounds = monday, monday + timedelta(days=7)
        elif text.count("-") == 1:
            first_day = _read(text, "%Y-%m")
            bounds = first_day, (first_day + timedelta(days=31)).replace(day=1)
        else:
            bounds = _day(text), _day(text) + timedelta(days=1)
        if bounds[0] >= bounds[1]:
            raise ValueError
    except (ValueError, OverflowError):
        todo = "write 2025-08-14, 2025-W33, 2025-08 or 2025-08-01..2025-08-15"
        raise TerminalError(f"no period: {text[:60]!r}", flag, todo) from None
    return bounds


def _day(text: str) -> datetime:
    return _read(text, "%Y-%m-%d")


def _read(text: str, form: str) -> datetime:
    return datetime.strptime(text, form)  # noqa: DTZ007 - UTC without a zone, as everywhere in the warehouse

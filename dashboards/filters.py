"""What the reader asked to see: the filters in the URL, and the window of time that they mean.

Pure: the page address in, values out. A link with the same query string shows the same page.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlencode

# Value in the URL → name on the page and length in days; None is everything there is.
PERIODS: dict[str, tuple[str, int | None]] = {
    "1d": ("Last day", 1),
    "3d": ("Last 3 days", 3),
    "7d": ("Last 7 days", 7),
    "30d": ("Last 30 days", 30),
    "90d": ("Last 90 days", 90),
    "all": ("All time", None),
}

# A longer name than any real one is no name: it is ignored rather than searched for.
LONGEST_VALUE = 512


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters of one page address.

    Parameters
    ----------
    workflow, environment, team, release : str | None
        None is all of them.
    period : str | None
        A key of `PERIODS`; None lets the data choose (see `default_period`).
    incident : str | None
        The incident opened on the drift page.
    before, after : str | None
        The two releases compared on the page of releases; in the run explorer `before` is where a page of the list starts.
    run : str | None
        The run opened in the run explorer.
    q : str | None
        What is searched for in the run explorer.
    by : str | None
        The tag that the chargeback on the cost page is parted by.
    shared : str | None
        The workflow whose cost is split over the others there.
    tool : str | None
        The tool opened on the page of tools.
    family, state : str | None
        The family of drift, and the state of incidents, listed on the drift page.
    """

    workflow: str | None = None
    environment: str | None = None
    period: str | None = None
    incident: str | None = None
    before: str | None = None
    after: str | None = None
    team: str | None = None
    release: str | None = None
    run: str | None = None
    q: str | None = None
    by: str | None = None
    shared: str | None = None
    tool: str | None = None
    family: str | None = None
    state: str | None = None

    @classmethod
    def parse(cls, search: str | None) -> Filters:
        """Filters of a query string; what is unknown, empty or far too long is left out.

        Examples
        --------
        >>> Filters.parse("?workflow=refunds&period=7d") == Filters(workflow="refunds", period="7d")
        True
        """
        try:
            given = parse_qs((search or "").lstrip("?"), max_num_fields=50)
        except ValueError:
            given = {}
        values = {name: (given.get(name) or [None])[-1] for name in _NAMES}
        values = {name: value if value and len(value) <= LONGEST_VALUE else None for name, value in values.items()}
        if values["period"] not in PERIODS:
            values["period"] = None
        return cls(**values)

    def search(self, **changes: str | None) -> str:
        """Query string of these filters with `changes`, starting with ``?``; empty when nothing is filtered.

        Examples
        --------
        >>> Filters(workflow="a b").search(period="7d")
        '?workflow=a+b&period=7d'
        """
        other = replace(self, **changes)
        pairs = [(name, getattr(other, name)) for name in _NAMES]
        query = urlencode([(name, value) for name, value in pairs if value and len(value) <= LONGEST_VALUE])
        return f"?{query}" if query else ""


_NAMES = tuple(field.name for field in fields(Filters))


@dataclass(frozen=True, slots=True)
class Window:
    """The time shown, and the comparable time before it; UTC, starts included, ends excluded.

    The earlier window starts one period before and is cut at the same hour as the current one, so that a day which is
    still running is compared with the same part of an earlier day. All bounds are whole hours, as the marts by hour need it.

    Parameters
    ----------
    period : str
        A key of `PERIODS`.
    start, end : datetime
        The window shown.
    previous_start, previous_end : datetime
        The window it is compared with; both equal to `start` when there is none.
    bucket : timedelta
        Width of one point of a trend.
    is_comparable : bool
        Whether there are runs since (nearly) the start of the earlier window.
    """

    period: str
    start: datetime
    end: datetime
    previous_start: datetime
    previous_end: datetime
    bucket: timedelta
    is_comparable: bool

    @property
    def days(self) -> int | None:
        """Length of the period in days; None when it is everything."""
        return PERIODS[self.period][1]

    @property
    def name(self) -> str:
        """The period as the page calls it."""
        return PERIODS[self.period][0]

    @property
    def previous_name(self) -> str:
        """The earlier period in words, for “against …”."""
        return "the day before" if self.days == 1 else f"the {self.days} days before"


def window(period: str | None, earliest: datetime, latest: datetime) -> Window:
    """The window that `period` means for runs between `earliest` and `latest` (UTC).

    Periods are whole UTC days that end with the day of the newest run, not with today: a recorded week can be read at any
    later time.
    """
    chosen = period if period in PERIODS else default_period(earliest, latest)
    days = PERIODS[chosen][1]
    end = ending(latest)
    if days is None:
        start = _midnight(earliest)
        return Window(chosen, start, end, start, start, _bucket((end - start) / timedelta(days=1)), False)
    start = _midnight(latest) - timedelta(days=days - 1)
    shift = timedelta(days=days)
    is_comparable = _reaches(earliest, start - shift, days)
    if not is_comparable:
        return Window(chosen, start, end, start, start, _bucket(days), False)
    return Window(chosen, start, end, start - shift, end - shift, _bucket(days), True)


def ending(latest: datetime) -> datetime:
    """Where windows end whose newest run starts at `latest`: the next full hour."""
    return latest.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)


def default_period(earliest: datetime, latest: datetime) -> str:
    """The longest of 30, 7, 3 and 1 days that has a comparable period before it; without one, everything there is."""
    for period in ("30d", "7d", "3d", "1d"):
        days = PERIODS[period][1] or 1
        if _reaches(earliest, _midnight(latest) - timedelta(days=2 * days - 1), days):
            return period
    return "all"


def _reaches(earliest: datetime, start: datetime, days: int) -> bool:
    # A tenth of the period may be missing at its start: traffic rarely begins at midnight.
    return earliest <= start + timedelta(days=days / 10)


def _bucket(days: float) -> timedelta:
    if days <= 1:
        return timedelta(hours=2)
    if days <= 4:
        return timedelta(hours=12)
    return timedelta(days=1) if days <= 200 else timedelta(days=7)


def _midnight(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0)

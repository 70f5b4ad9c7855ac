"""The search of the run explorer: words typed by a reader to the values that the query is asked with. Pure.

A search is words parted by spaces, and all of them must hold: ``outcome:failure tool:issue_refund has:incident 4bf92f35``. A word
without a name is the beginning of an id.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, fields, replace
from datetime import datetime

#: What ``has:`` knows, and what it means.
MARKS = {
    "incident": "is evidence of an incident",
    "error": "a call failed",
    "denied": "a policy denied something",
    "unpriced": "has no known cost",
    "approval": "a person was asked",
    "override": "a person decided otherwise",
    "gap": "its decision path can't be rebuilt",
}
OUTCOMES = ("success", "failure", "escalated", "abandoned", "pending", "unknown")

_FEWEST_OF_AN_ID = 4


@dataclass(frozen=True, slots=True)
class Search:
    """What a run must be.

    Parameters
    ----------
    id : str | None
        Beginning of the id of the run, its session or a trace.
    outcome, model, tool, agent : str | None
        Its outcome; part of the name of a model or tool that it called, or of its agent.
    has : tuple of str
        Keys of `MARKS`.
    unread : tuple of str
        Words that mean nothing here.
    """

    id: str | None = None
    outcome: str | None = None
    model: str | None = None
    tool: str | None = None
    agent: str | None = None
    has: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()

    def __str__(self) -> str:
        named = [(name, getattr(self, name)) for name in ("outcome", "model", "tool", "agent")]
        words = [f"{name}:{shlex.quote(value)}" for name, value in named if value]
        return " ".join([*words, *(f"has:{mark}" for mark in self.has), *([shlex.quote(self.id)] if self.id else [])])

    def toggled(self, **change: str) -> Search:
        """Return the search with one word changed: taken out where it is there already.

        Examples
        --------
        >>> str(parse("has:incident").toggled(outcome="failure")), str(parse("has:incident").toggled(has="incident"))
        ('outcome:failure has:incident', '')
        """
        (name, value), *_ = change.items()
        if name == "has":
            rest = tuple(mark for mark in self.has if mark != value)
            return replace(self, has=rest if value in self.has else (*self.has, value), unread=())
        return replace(self, **{name: None if getattr(self, name) == value else value}, unread=())


_NAMES = tuple(field.name for field in fields(Search) if field.name not in ("has", "unread"))


def parse(q: str | None) -> Search:
    """The search that `q` writes.

    Examples
    --------
    >>> parse("outcome:failure tool:pay has:incident 4bf92f35 has:magic x")
    Search(id='4bf92f35', outcome='failure', model=None, tool='pay', agent=None, has=('incident',), unread=('has:magic', 'x'))
    """
    try:
        words = shlex.split(q or "")
    except ValueError:  # a quote that is never closed
        words = (q or "").split()
    values: dict[str, str] = {}
    has: list[str] = []
    unread: list[str] = []
    for word in words:
        name, mark, value = word.partition(":")
        if mark and name == "has" and value in MARKS:
            has += [value] if value not in has else []
        elif mark and name in _NAMES and value and (name != "outcome" or value in OUTCOMES):
            values[name] = value
        elif (not mark or name not in (*_NAMES, "has")) and len(word) >= _FEWEST_OF_AN_ID:
            values["id"] = word
        else:
            unread.append(word)
    return Search(**values, has=tuple(has), unread=tuple(unread))


def cursor(started_at: datetime, run_id: str) -> str:
    """Where the next page of runs begins, as the address holds it."""
    return f"{started_at.isoformat()}~{run_id}"


def after(text: str | None) -> tuple[datetime | None, str | None]:
    """The moment and the run of a `cursor`; None of both where it is none.

    Examples
    --------
    >>> after("2026-03-08T09:05:00~ab"), after("yesterday")
    ((datetime.datetime(2026, 3, 8, 9, 5), 'ab'), (None, None))
    """
    moment, _, run_id = (text or "").partition("~")
    try:
        at = datetime.fromisoformat(moment)
    except ValueError:
        return None, None
    return (at, run_id) if run_id and at.tzinfo is None else (None, None)

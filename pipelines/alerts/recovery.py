"""Which incidents are back: every alarmed stream is followed, run by run, from its alarm on.

A signal carries a test of its own (``pipelines.alerts.return_tests``), made from observations as their stage gives them, and
applied to such, before ``pipelines.history`` sets them beside others. A rule is back when `SHORTEST` runs of its workflow in a
row did not break it. Streams without a test say nothing here.

An incident is back when all its streams are at once, at least one of them has a test, and its last signal is `SETTLED` ago. How
observations are cut into calls changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from detectors.recovery import SHORTEST, Progress
from pipelines.alerts.return_tests import scored
from pipelines.alerts.wording import is_back

Stream = tuple[str, str, str, str]

_KEY = ("workflow", "family", "metric", "dimension")
#: Event time from an incident's last signal until it may be back.
SETTLED = timedelta(hours=1)
#: A piece of observations is at most so long.
_LONGEST_PIECE = timedelta(hours=12)
_EPOCH = datetime(1970, 1, 1)
_MICROSECOND = timedelta(microseconds=1)
#: A rule's runs count 1 each that do not break it; one that does sends it back to the start.
_QUIET, _BROKEN = 1.0, -float(SHORTEST)


def pieces_of(observations: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return as many of the first observations as the detectors may have at once, and the rest.

    Nothing may be back in the piece that raised it, whose later observations the detectors have had already. So a piece is no
    longer than `SETTLED`, or holds `SHORTEST` runs of each workflow at most. Only what is caught up with is ever cut.
    """
    first = observations["at"][0]
    end = first + SETTLED
    if observations["at"].max() < end:  # pyright: ignore[reportOperatorIssue]
        return observations, observations.clear()
    longest = observations.filter(pl.col("at") < first + _LONGEST_PIECE)
    runs = longest.unique(["workflow", "run_id"], keep="first", maintain_order=True)
    crowded = runs.filter(pl.int_range(pl.len()).over("workflow") >= SHORTEST)["at"].min()
    end = max(end, first + _LONGEST_PIECE if crowded is None else crowded)  # pyright: ignore[reportArgumentType]
    return observations.filter(pl.col("at") < end), observations.filter(pl.col("at") >= end)


@dataclass(slots=True)
class _Followed:
    """One alarmed stream: of which signal, since when its runs count (microseconds since 1970), and how far it is back."""

    signal_id: str
    incident_id: str
    stream: Stream
    kind: str
    test: dict[str, Any] | None
    since: int
    progress: Progress = field(default_factory=Progress)

    @property
    def threshold(self) -> float:
        """Score at which it is back."""
        return float(SHORTEST) if self.test is None else self.test["threshold"]


class Returns:
    """The alarmed streams of all incidents, and how far each is back.

    Parameters
    ----------
    state : iterable of dict
        What :meth:`state` gave.
    """

    def __init__(self, state: Iterable[dict[str, Any]] = ()) -> None:
        self._followed: list[_Followed] = [
            _Followed(**{**each, "stream": tuple(each["stream"]), "progress": Progress(**each["progress"])})
            for each in state
        ]

    def state(self) -> list[dict[str, Any]]:
        """Return what a checkpoint holds: numbers and texts only."""
        names = ("signal_id", "incident_id", "stream", "kind", "test", "since")
        numbers = ("score", "runs", "total", "since", "is_back")
        return [
            {name: getattr(each, name) for name in names}
            | {"progress": {name: getattr(each.progress, name) for name in numbers}}
            for each in self._followed
        ]

    def add(self, signals: pl.DataFrame, observations: pl.DataFrame) -> None:
        """Follow the streams of new signals, from there on.

        Parameters
        ----------
        signals : pl.DataFrame
            signal_id, incident_id, ``_KEY``, kind, at, return_test: in the order in which they were raised.
        observations : pl.DataFrame
            The piece that raised them.
        """
        known = {each.signal_id for each in self._followed}
        tested = {each.incident_id for each in self._followed if each.test}
        fresh: dict[str, _Followed] = {}
        for row in signals.filter(~pl.col("signal_id").is_in(known)).iter_rows(named=True):
            test = json.loads(row["return_test"]) if row["return_test"] else None
            stream = (row["workflow"], row["family"], row["metric"], row["dimension"] or "")
            new = _Followed(row["signal_id"], row["incident_id"], stream, row["kind"], test, _number(row["at"]))
            self._followed.append(new)
            fresh[new.signal_id] = new
            if test and new.incident_id not in tested:
                # Rules alone are not followed: theirs starts with the first stream of their incident that has a test.
                tested.add(new.incident_id)
                for each in self._followed:
                    if each.kind == "rule" and each.incident_id == new.incident_id:
                        each.since, each.progress = new.since, Progress()
                        fresh[each.signal_id] = each
        self._go_through([*fresh.values()], observations)

    def forget(self, streams: Iterable[Stream]) -> None:
        """Follow these streams no longer: they are watched again."""
        gone = set(streams)
        self._followed = [each for each in self._followed if each.stream not in gone]

    def drop(self, incident_id: str) -> None:
        """Follow none of an incident's streams any longer."""
        self._followed = [each for each in self._followed if each.incident_id != incident_id]

    def advance(self, observations: pl.DataFrame) -> datetime | None:
        """Take observations in their order, up to the first place at which an incident is back; return that event time.

        Parameters
        ----------
        observations : pl.DataFrame
            ``OBSERVATION_SCHEMA``, a piece; what is after the place must be given again.
        """
        place = self._go_through(self._followed, observations)
        return None if place is None else _EPOCH + place * _MICROSECOND

    def back(self, at: datetime) -> dict[str, str]:
        """Return the incidents that are back at an event time, by id, and what tells so, in words."""
        return {name: _told(streams) for name, streams in self._incidents() if _is_back(streams, _number(at))}

    def _incidents(self) -> Iterator[tuple[str, list[_Followed]]]:
        found: dict[str, list[_Followed]] = {}
        for each in self._followed:
            found.setdefault(each.incident_id, []).append(each)
        yield from sorted(found.items())

    def _go_through(self, followed: list[_Followed], observations: pl.DataFrame) -> int | None:
        """Bring those streams up to the end, or the first event time at which an incident is back: return it."""
        tested = {each.incident_id for each in self._followed if each.test}
        followed = [each for each in followed if each.incident_id in tested]
        if not followed or observations.is_empty():
            return None
        rows = sorted(_rows(followed, observations.filter(~pl.col("late"))))
        streams = dict(self._incidents())
        for index, (at, number, score, shown) in enumerate(rows):
            each = followed[number]
            each.progress = each.progress.after(at, score, shown, each.threshold)
            is_last = index + 1 == len(rows) or rows[index + 1][0] > at
            if is_last and any(_is_back(streams[followed[row[1]].incident_id], at) for row in _of(rows, index)):
                return at
        return None


def _of(rows: list[tuple[int, int, float, float]], last: int) -> Iterator[tuple[int, int, float, float]]:
    """The rows of the moment whose last one that is."""
    at = rows[last][0]
    while last >= 0 and rows[last][0] == at:
        yield rows[last]
        last -= 1


def _rows(followed: list[_Followed], observations: pl.DataFrame) -> Iterator[tuple[int, int, float, float]]:
    """Event time, number of the stream, score and value of each run since the stream's alarm."""
    numbers = [number for number, each in enumerate(followed) if each.test or each.kind == "rule"]
    keys = pl.DataFrame(
        [(*followed[number].stream, followed[number].kind, number) for number in numbers],
        schema={**dict.fromkeys((*_KEY, "kind"), pl.String), "number": pl.Int64},
        orient="row",
    )
    mine = observations.join(keys, on=[*_KEY, "kind"], maintain_order="left")
    parts = {number: part for (number,), part in mine.partition_by("number", as_dict=True, maintain_order=True).items()}
    workflows = {followed[number].stream[0] for number in numbers if followed[number].kind == "rule"}
    closed = (
        observations.filter(pl.col("workflow").is_in(workflows))
        .unique(["workflow", "run_id"], keep="first", maintain_order=True)
        .select("workflow", "run_id", pl.col("at").dt.epoch("us"))
    )
    for number in numbers:
        each, part = followed[number], parts.get(number)
        if each.kind == "rule":
            runs = closed.filter(pl.col("workflow") == each.stream[0])
            broken = runs["run_id"].is_in([] if part is None else part["run_id"].unique().to_list())
            runs = runs.select("at", score=pl.when(broken).then(_BROKEN).otherwise(_QUIET), shown=pl.lit(0.0))
        elif part is None or each.test is None:
            continue
        else:
            runs = scored(each.test, part)
        for at, score, shown in runs.filter(pl.col("at") > each.since).iter_rows():
            yield at, number, score, shown


def _is_back(streams: list[_Followed], at: int) -> bool:
    waited = all(at >= each.since + SETTLED // _MICROSECOND for each in streams)
    followed = [each for each in streams if each.test or each.kind == "rule"]
    return waited and any(each.test for each in followed) and all(each.progress.is_back for each in followed)


def _told(streams: list[_Followed]) -> str:
    """Return in words what is back, the first alarms first, and what will show by itself."""
    tested = [each for each in streams if each.test]
    said = []
    for each in tested[:3]:
        progress = each.progress
        level = None if each.kind == "mix" else progress.total / progress.runs
        if each.test and "usual" in each.test:
            level = None
        since = _EPOCH + (progress.since or 0) * _MICROSECOND
        said.append(is_back(each.stream[2], each.stream[3], level, since, progress.runs))
    others = len(tested) - len(said)
    if others:
        said.append(f"{others} other stream{'s' if others > 1 else ''}")
    rules = sum(each.kind == "rule" for each in streams)
    if rules:
        said.append(f"{SHORTEST} runs and more without the {rules} finding{'s' if rules > 1 else ''}")
    untested = sum(each.test is None and each.kind not in ("rule", "spike") for each in streams)
    again = f"; {untested} that can't be tested {'are' if untested > 1 else 'is'} watched again" if untested else ""
    return f"back: {'; '.join(said)}{again}"


def _number(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND

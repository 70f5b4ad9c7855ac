"""Generates traffic slice by slice: arrivals, runs, order of arrival, requests, one file per day, and the truth.

Columns all the way: memory is bounded by the slice (:data:`SLICE_SPANS` spans and what still runs at its end). The same
arguments give the same bytes: every draw comes from PCG64 streams seeded by (seed, purpose, slice, template).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import TerminalError

from .arrivals import BUCKET, Slice, arrivals, size_factor, slices
from .behaviour import Behaviour, normal
from .drift import Drift, schedule
from .encode import Encoder
from .fleet import TEMPLATES, fleet
from .happenings import draw_events, drill_events
from .runs import Block, draw_runs
from .table import Rows, concat
from .truth import Tally, Truth

DEFAULT_START = datetime(2026, 9, 5, tzinfo=UTC)
"""A Saturday: the week's drifts then fall on working days, with working days after them."""
DEFAULT_RATE = 12.0
"""Runs per hour and workflow, on average."""
SLICE_SPANS = 60_000
REQUEST_SPANS = (88, 113)
"""A request holds this many spans, at least and below, as a Collector's batch of about 100."""

_SPANS_PER_RUN = 8.5
_SPAN_REPEATED = 0.0005
_REQUEST_REPEATED = 0.002
_JITTER_MS = 120.0
_JITTER_AT_MOST_MS = 800.0
_SCHEDULE, _ARRIVALS, _RUNS, _DELIVERY = range(4)


def simulate(
    out: Path,
    *,
    seed: int = 7,
    days: float = 7,
    workflows: int = 6,
    rate: float = DEFAULT_RATE,
    drifts: Sequence[str] | None = None,
    content_bytes: int = 0,
    season: bool = False,
    drift_hours: float | None = None,
    start: datetime = DEFAULT_START,
    progress: Callable[[int, int], None] | None = None,
) -> Truth:
    """Write a fleet's traffic as OTLP files with ``truth.json`` and return that truth.

    Parameters
    ----------
    out : Path
        Directory for ``traces-YYYY-MM-DD.otlp.binpb`` (length-delimited ``ExportTraceServiceRequest``) and
        ``truth.json``; made if absent. An earlier simulation there is replaced.
    seed : int
        Same arguments, same bytes.
    days, rate : float
        Simulated days, and mean runs per hour and workflow; both scale the volume.
    workflows : int
        Six kinds; more are numbered variants of them.
    drifts : sequence of str, optional
        Drifts to inject, of :data:`DRIFTS` or ``all``; those of :data:`DEFAULT_DRIFTS` that the fleet has a workflow
        for when not given; ``()`` for none.
    content_bytes : int
        Mean bytes of message text on a model call (a tool result gets half); 0 for none.
    season : bool
        Sizes of requests follow the hour and the weekday, as arrivals always do.
    drift_hours : float, optional
        Each drift is undone so long after it was injected, its release rolled back; they stay when not given.
    start : datetime
        UTC when it has no zone.
    progress : callable, optional
        Called with (slices done, slices in all).

    Raises
    ------
    TerminalError
        A figure out of range, an unknown drift, or a directory that cannot be written.
    """
    for name, value, least in (
        ("days", days, 1 / 24),
        ("rate", rate, 1e-3),
        ("workflows", workflows, 1),
        ("seed", seed, 0),
        ("content-bytes", content_bytes, 0),
        ("drift-hours", math.inf if drift_hours is None else drift_hours, 1 / 60),
    ):
        if not value >= least:
            raise TerminalError(f"{name} is {value}", f"--{name}", f"give at least {least:.3g}")
    begin = start if start.tzinfo else start.replace(tzinfo=UTC)
    first = int((begin - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1)) // BUCKET * BUCKET
    members = fleet(workflows)
    buckets = max(1, round(days * 288))
    end = first + buckets * BUCKET
    lasting = None if drift_hours is None else int(drift_hours * 3_600_000_000)
    changes, injected = schedule(members, drifts, first, end, _stream(seed, _SCHEDULE), lasting)

    plan = _Plan(seed, first, end, len(members), changes, _stream(seed, _SCHEDULE, 1), season)
    names = _clear(out)
    parts = slices(buckets, rate / 12 * workflows * _SPANS_PER_RUN, SLICE_SPANS)
    policies = [changes[index][0].policy_version if index in changes else "" for index in range(len(members))]
    encoder = Encoder(members, policies, content_bytes)
    weights = np.array([member.kind.weight for member in members])
    rates = rate / 12 * weights / weights.mean()
    tally, delivered = Tally(len(members)), 0
    carried: tuple[Rows, Rows] | None = None
    for part in parts:
        workflow, started = arrivals(rates, first, part, _stream(seed, _ARRIVALS, part.index))
        spans, events = plan.generate(part, workflow, started)
        tally.add(spans)
        rng = _stream(seed, _DELIVERY, part.index)
        spans = _deliver(spans, rng)
        if carried is not None:
            spans, events = concat([carried[0], spans]), concat([carried[1], events])
        last = part.index == len(parts) - 1
        day_over = last or parts[part.index + 1].day != part.day
        cut = np.iinfo(np.int64).max if last else first + (part.first + part.buckets) * BUCKET
        spans, events, starts, carried = _requests(spans, events, cut, day_over, rng)
        name = f"traces-{(begin + timedelta(days=part.day)):%Y-%m-%d}.otlp.binpb"
        try:
            with (out / name).open("ab") as file:
                if len(starts):
                    delivered += _write(
                        file, encoder.messages(spans, events, starts), np.diff(np.append(starts, len(spans))), rng
                    )
        except OSError as error:
            raise TerminalError("cannot write", str(out / name), str(error.strerror)) from None
        if name not in names:
            names.append(name)
        if progress:
            progress(part.index + 1, len(parts))
    truth = Truth(
        seed=seed,
        started_at=begin,
        ended_at=begin + timedelta(microseconds=end - first),
        delivered_spans=delivered,
        drifts=tuple(injected),
        files=tuple(names),
        **tally.figures(members),
    )
    truth.write(out / "truth.json")
    return truth


class _Plan:
    """The fleet's timeline: harmless releases, drills, drifts; and the runs of each slice."""

    def __init__(
        self,
        seed: int,
        start: int,
        end: int,
        workflows: int,
        changes: dict[int, tuple[Drift, Behaviour]],
        rng: np.random.Generator,
        season: bool,
    ) -> None:
        self.seed, self.members, self.season = seed, fleet(workflows), season
        length = end - start
        self.released_at = start + (length * rng.uniform(0.2, 0.36, workflows)).astype(np.int64)
        self.drill_at = start + (length * rng.uniform(0.38, 0.46, workflows)).astype(np.int64)
        for index, member in enumerate(self.members):
            if member.kind.drill_minutes is None:
                self.drill_at[index] = np.iinfo(np.int64).max
        self.drift_at = np.full(workflows, np.iinfo(np.int64).max)
        self.undone_at = np.full(workflows, np.iinfo(np.int64).max)
        self.with_release = np.zeros(workflows, np.bool_)
        self.laws = [[normal(kind)] for kind in TEMPLATES]
        self.law_after = np.zeros(workflows, np.int8)
        for index, (drift, after) in changes.items():
            self.drift_at[index] = drift.injected_at
            if drift.undone_at is not None:
                self.undone_at[index] = drift.undone_at
            self.with_release[index] = bool(drift.cause)
            laws = self.laws[self.members[index].template]
            self.law_after[index] = len(laws)
            laws.append(after)
        self.templates = np.array([member.template for member in self.members])

    def generate(self, part: Slice, workflow: NDArray[np.int32], started: NDArray[np.int64]) -> tuple[Rows, Rows]:
        """Return the spans and events of the runs that start in this slice."""
        spans: list[Rows] = []
        events: list[Rows] = []
        template = self.templates[workflow]
        for index, kind in enumerate(TEMPLATES):
            mine = np.flatnonzero(template == index)
            if not len(mine) and spans:
                continue
            own, at = workflow[mine], started[mine]
            drifted = (at >= self.drift_at[own]) & (at < self.undone_at[own])
            release = np.where(drifted & self.with_release[own], 2, at >= self.released_at[own]).astype(np.int8)
            law = np.where(drifted, self.law_after[own], np.int8(0))
            sizes = size_factor(at) if self.season else np.ones(len(at))
            block = Block(index, kind, tuple(self.laws[index]), own, at, release, law, sizes)
            rng = _stream(self.seed, _RUNS, part.index, index)
            rows, drawn = draw_runs(block, rng)
            spans.append(rows)
            events.append(draw_events(block, drawn, rng))
            for number in np.unique(own[at >= self.drill_at[own]]):
                chosen = np.flatnonzero((own == number) & (at >= self.drill_at[number]))[:1]
                events.append(drill_events(drawn.runs.take(chosen), *(kind.drill_minutes or (0.0, 0.0))))
                self.drill_at[number] = np.iinfo(np.int64).max
        return concat(spans), concat(events)


def _deliver(spans: Rows, rng: np.random.Generator) -> Rows:
    """Return the spans with their time of arrival, a few of them twice."""
    jitter = np.minimum(rng.exponential(_JITTER_MS, len(spans)), _JITTER_AT_MOST_MS)
    arrival = spans["end"] + (jitter * 1000).astype(np.int64)
    spans.columns["arrival"] = arrival
    again = np.flatnonzero(rng.random(len(spans)) < _SPAN_REPEATED)
    repeated = spans.take(again)
    repeated.columns["arrival"] = arrival[again] + rng.integers(1_000_000, 400_000_000, len(again))
    return concat([spans, repeated])


def _requests(
    spans: Rows, events: Rows, cut: int, flush: bool, rng: np.random.Generator
) -> tuple[Rows, Rows, NDArray[np.int64], tuple[Rows, Rows] | None]:
    """Cut the spans that arrived before ``cut`` into requests; what is left waits for the next slice.

    Returns the spans by request and resource, the events by span, the first row of each request, and the rest. A
    partial request is kept for the next slice unless ``flush``.
    """
    order = np.argsort(spans["arrival"], kind="stable")
    arrived = int(np.searchsorted(spans["arrival"][order], cut))
    sizes = rng.integers(*REQUEST_SPANS, arrived // REQUEST_SPANS[0] + 1)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    starts = starts[starts < arrived]
    if len(starts) and not flush:
        starts, arrived = starts[:-1], int(starts[-1])
    taken, left = spans.take(order[:arrived]), spans.take(order[arrived:])
    request = np.zeros(arrived, np.int64)
    request[starts[1:]] = 1
    by_resource = np.lexsort((taken["release"], taken["workflow"], np.cumsum(request)))
    events = events.take(np.lexsort((events["at"], events["span"])))
    rest = (left, events.take(np.isin(events["span"], left["span"]))) if len(left) else None
    return taken.take(by_resource), events, starts, rest


def _write(file: BinaryIO, messages: Sequence[memoryview], sizes: NDArray[np.int64], rng: np.random.Generator) -> int:
    """Append length-delimited messages, a few of them twice; return the number of spans written."""
    twice = rng.random(len(messages)) < _REQUEST_REPEATED
    chunks: list[bytes | memoryview] = []
    for message, again in zip(messages, twice.tolist(), strict=True):
        for _ in range(1 + again):
            chunks += (_varint(len(message)), message)
    file.writelines(chunks)
    return int(sizes.sum() + sizes[twice].sum())


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _stream(seed: int, *purpose: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=purpose)))


def _clear(out: Path) -> list[str]:
    """Make the directory, and take away what an earlier simulation left there; return the empty list of new names."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / "truth.json").unlink(missing_ok=True)
        for path in out.glob("traces-????-??-??.otlp.binpb"):
            path.unlink()
    except OSError as error:
        raise TerminalError("cannot write there", str(out), error.strerror or "choose another directory") from None
    return []

"""River's detectors: at their defaults, and with the one knob of each that reaches the average run length wanted."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import cache
from multiprocessing import get_context
from typing import Any

import numpy as np
from river import drift

from tests.benchmarks.detection.cases import Case, Values
from tests.benchmarks.detection.measure import Alarms, run_length

# name: (kind, make(knob), default knob, loosest knob, strictest knob)
PEERS: dict[str, tuple[str, Callable[[float], Any], float, float, float]] = {
    "ADWIN": ("continuous", lambda k: drift.ADWIN(delta=k), 0.002, 0.5, 1e-6),
    "PageHinkley": ("continuous", lambda k: drift.PageHinkley(threshold=k), 50.0, 20.0, 2000.0),
    "KSWIN": ("continuous", lambda k: drift.KSWIN(alpha=k, seed=7), 0.005, 0.005, 1e-10),
    "ADWIN on 0/1": ("rate", lambda k: drift.ADWIN(delta=k), 0.002, 0.5, 1e-6),
    "DDM": ("rate", lambda k: drift.binary.DDM(drift_threshold=k), 3.0, 2.0, 20.0),
    "EDDM": ("rate", lambda k: drift.binary.EDDM(beta=k), 0.9, 0.95, 0.05),
    "FHDDM": ("rate", lambda k: drift.binary.FHDDM(confidence_level=k), 1e-6, 0.1, 1e-12),
    "HDDM_A": ("rate", lambda k: drift.binary.HDDMA(drift_confidence=k), 0.001, 0.1, 1e-12),
    "HDDM_W": ("rate", lambda k: drift.binary.HDDMW(drift_confidence=k), 0.001, 0.1, 1e-12),
    "10 × ADWIN": ("mix", lambda k: drift.ADWIN(delta=k / 10), 0.002, 0.5, 1e-6),
}
SLOW = {"KSWIN"}  # a two-sample test at each update: tuned on a quarter of the observations


def run(name: str, knob: float, values: Values, processes: int = 1) -> Alarms:
    """Give the first alarm of each stream; ADWIN also tells the onset, by the width of its window."""
    tasks = [(name, knob, stream) for stream in values]
    found = _pool(processes).map(_one, tasks) if processes > 1 else [_one(task) for task in tasks]
    first = np.array([at for at, _ in found])
    return Alarms(first, np.array([onset for _, onset in found]), values.shape[1])


@cache
def _pool(processes: int) -> Any:
    """One pool for the whole run: starting Python costs more than most measurements."""
    return get_context("spawn").Pool(processes)


def _one(task: tuple[str, float, Values]) -> tuple[int, float]:
    name, knob, values = task
    kind, make = PEERS[name][:2]
    detectors = [make(knob) for _ in range(10 if kind == "mix" else 1)]
    for at, value in enumerate(values.tolist()):
        for number, detector in enumerate(detectors):
            detector.update(float(value == number) if kind == "mix" else value)
            if detector.drift_detected:
                return at, at + 1 - detector.width if isinstance(detector, drift.ADWIN) else math.nan
    return -1, math.nan


def tuned(name: str, null: Values, arl: float, steps: int, processes: int = 1) -> float | None:
    """Find the loosest knob whose estimated mean run on `null` is at least `arl`; None where even the strictest fails."""

    def reaches(knob: float) -> bool:
        found = run_length(run(name, knob, null, processes))["arl"]
        return found is None or found >= arl

    return loosest(*PEERS[name][3:], steps, reaches)


def loosest(loose: float, strict: float, steps: int, reaches: Callable[[float], bool]) -> float | None:
    """Bisect, on a logarithmic scale, for the loosest knob that `reaches`; None where even the strictest does not."""
    if not reaches(strict):
        return None
    if reaches(loose):
        return loose
    low, high = math.log(loose), math.log(strict)
    for _ in range(steps):
        middle = (low + high) / 2
        low, high = (low, middle) if reaches(math.exp(middle)) else (middle, high)
    return math.exp(high)


def speed(rng: np.random.Generator, streams: int, rounds: int) -> float:
    """Time ADWIN objects in a dict: updates a second of processor time."""
    objects = {number: drift.ADWIN() for number in range(streams)}
    load = rng.normal(size=(rounds, streams)).tolist()
    begun = time.process_time()
    for values in load:
        for number, value in enumerate(values):
            objects[number].update(value)
    return streams * rounds / (time.process_time() - begun)


def bundled() -> list[tuple[str, Values, list[int]]]:
    """Give river's change-point series of one number a step: name, (1, n) values, annotated change points."""
    found = []
    for make in (
        drift.datasets.Apple,
        drift.datasets.Bitcoin,
        drift.datasets.BrentSpotPrice,
        drift.datasets.UKCoalEmploy,
    ):
        data = make()
        values = np.array([[float(_number(y)) for _, y in data]])
        marks = sorted({at for marked in data.annotations.values() for at in marked})
        found.append((make.__name__, values, marks))
    return found


def _number(value: Any) -> float:
    return next(iter(value.values())) if isinstance(value, dict) else value


def of_kind(case: Case) -> list[str]:
    """Name the peers that take the values of a case."""
    return [name for name, peer in PEERS.items() if peer[0] == case.kind]

"""Evidently's default batch test on sliding windows, by the interpreter of .venv-evidently: at its default threshold and tuned.

The series go to `theirs/windows.py` in a file and the scores of its looks come back in one; a threshold is laid on them here,
so that tuning costs no second look.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.detection import cases, measure, peers, report
from tests.benchmarks.machine import machine

PYTHON = Path(__file__).parents[3] / ".venv-evidently" / "bin" / "python"
PROGRAM = Path(__file__).parent / "theirs" / "windows.py"
COLUMN = {"continuous": "numerical", "rate": "categorical", "mix": "categorical"}
ON = {"continuous": "", "rate": " on 0/1", "mix": " on the mix"}
STEPS = 30  # of a bisection over scores that are there already


@dataclass(frozen=True, slots=True)
class Windows:
    """Values of the reference, which comes first, of the sliding window, and from one look to the next."""

    reference: int
    window: int
    stride: int

    @property
    def blind(self) -> int:
        """Observations that belong to no look: the first look stands for `stride` of them, as every other."""
        return self.reference + self.window - self.stride


@dataclass(frozen=True, slots=True)
class Job:
    """Series of one kind to look at, up to the first drift at `threshold` (None is Evidently's own) where `stop` is set."""

    kind: str
    windows: Windows
    values: cases.Values
    stop: bool
    threshold: float | None = None


@dataclass(frozen=True, slots=True)
class Scores:
    """What Evidently said: (streams, looks) scores, NaN after the end, of the test it chose, which has a default threshold."""

    test: str
    p_value: bool
    default: float
    scores: NDArray[np.float64]
    job: Job

    @property
    def name(self) -> str:
        """The test, what it is on, and the windows."""
        return f"Evidently {self.test}{ON[self.job.kind]} {self.job.windows.reference:,}/{self.job.windows.window:,}"

    def run_length(self, threshold: float) -> dict[str, Any]:
        """Estimate the ARL0 at a threshold."""
        return measure.run_length(self.alarms(threshold), self.job.windows.blind)

    def alarms(self, threshold: float) -> measure.Alarms:
        """Give the first alarm of each stream at a threshold no stricter than the one the looks went on to."""
        crossed = self.scores <= threshold if self.p_value else self.scores >= threshold
        windows = self.job.windows
        at = windows.reference + windows.window + windows.stride * crossed.argmax(axis=1) - 1
        streams, observations = self.job.values.shape
        return measure.Alarms(np.where(crossed.any(axis=1), at, -1), np.full(streams, np.nan), observations)

    def stricter(self, threshold: float | None) -> float | None:
        """Give the one of two thresholds that is crossed last; None where that is Evidently's own."""
        if threshold is None:
            return None
        return threshold if (threshold < self.default) == self.p_value else None

    def tuned(self, arl: float) -> float | None:
        """Find the loosest threshold whose mean run is at least `arl`; None where even the strictest fails."""

        def reaches(threshold: float) -> bool:
            found = self.run_length(threshold)["arl"]
            return found is None or found >= arl

        return peers.loosest(*((0.5, 1e-12) if self.p_value else (0.01, 1.0)), STEPS, reaches)


def ready() -> bool:
    """Say whether the environment is there; its stamp is written last."""
    return (PYTHON.parents[1] / ".ready").exists()


def looked(jobs: list[Job], processes: int, speed_looks: int = 0) -> tuple[list[Scores], dict[str, Any]]:
    """Let Evidently look; also give its version and, where looks are asked for, how many of each job it makes a second."""
    arrays: dict[str, Any] = {str(id(job.values)): job.values for job in jobs}
    told = [
        {
            **asdict(job.windows),
            "kind": COLUMN[job.kind],
            "values": str(id(job.values)),
            "stop": job.stop,
            "threshold": job.threshold,
        }
        for job in jobs
    ]
    task = {"jobs": told, "processes": processes, "speed_looks": speed_looks}
    # Evidently would report its use over the network.
    environment = os.environ | {"DO_NOT_TRACK": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as folder:
        given, wanted = Path(folder) / "series.npz", Path(folder) / "scores.npz"
        np.savez(given, task=np.array(json.dumps(task)), **arrays)
        subprocess.run([PYTHON, "-P", "-W", "ignore", PROGRAM, given, wanted], env=environment, check=True)
        with np.load(wanted) as file:
            answer = json.loads(str(file["answer"]))
            scores = [file[str(number)] for number in range(len(jobs))]
    return [_scores(*each) for each in zip(answer.pop("jobs"), scores, jobs, strict=True)], answer


def _scores(said: dict[str, list[Any]], scores: NDArray[np.float64], job: Job) -> Scores:
    # One job's looks may be of two tests (by the number of distinct values); a threshold lies on both only if they agree.
    (p_value,), (default,) = said["p_values"], said["thresholds"]
    return Scores(" or ".join(said["tests"]), p_value, default, scores, job)


def measured(options: dict[str, int]) -> dict[str, Any] | None:
    """Measure Evidently's part of every table, on the series that the others get; None without its environment."""
    if not ready():
        return None
    begun, on, arl, processes = time.monotonic(), machine(), options["arl"], options["processes"]
    stride, sizes = options["evidently_stride"], ("small", "large")
    each = [Windows(options[f"evidently_{s}_reference"], options[f"evidently_{s}_window"], stride) for s in sizes]
    kinds = [(kind, windows) for kind in COLUMN for windows in each]

    tune = {kind: _law(kind, "tune", options) for kind in COLUMN}
    jobs = [Job(kind, windows, tune[kind], stop=False) for kind, windows in kinds]
    found, answer = looked(jobs, processes, options["evidently_speed_looks"])
    tuned = {key: scores.tuned(arl) for key, scores in zip(kinds, found, strict=True)}
    limits = {key: scores.stricter(tuned[key]) for key, scores in zip(kinds, found, strict=True)}
    names = [scores.name for scores in found]

    check = {kind: _law(kind, "check", options) for kind in COLUMN}
    nulls, changes = _series(options)
    wanted = {("check", "", key): Job(*key, check[key[0]], True, limits[key]) for key in kinds}
    for case, values in nulls:
        wanted |= {("null", case.name, key): Job(*key, values, True) for key in kinds if key[0] == case.kind}
    for case, values in changes:
        wanted |= {
            ("change", case.name, key): Job(*key, values, True, limits[key]) for key in kinds if key[0] == case.kind
        }
    seen = dict(zip(wanted, looked(list(wanted.values()), processes)[0], strict=True))

    calibration = {key: _calibration(seen["check", "", key], tuned[key]) for key in kinds}
    return {
        "version": answer["version"],
        "machine": on,
        "at": f"{datetime.now(UTC):%Y-%m-%d}",
        "speed": [
            {"detector": name, "updates_per_second": stride * looks}
            for name, looks in zip(names, answer["speed"], strict=True)
        ],
        "report_updates_per_second": stride * answer["reports_per_second"],
        "calibration": [row for rows in calibration.values() for row in rows],
        "nulls": [
            {"case": case, "detector": f"{scores.name}, default", **scores.run_length(scores.default)}
            for (part, case, _), scores in seen.items()
            if part == "null"
        ],
        "changes": {
            case.name: {
                report.label(row, arl): measure.delays(
                    seen["change", case.name, key].alarms(row["knob"]), case.change_at(options)
                )
                for key in kinds
                if key[0] == case.kind
                for row in calibration[key]
                if row["knob"] is not None
            }
            for case, _ in changes
        },
        "minutes": round((time.monotonic() - begun) / 60, 1),
    }


def _law(kind: str, part: str, options: dict[str, int]) -> cases.Values:
    numbers = cases.numbers(options, f"Evidently {kind} {part}")
    return cases.null_of(kind).before(numbers, options["peer_null_streams"], options["peer_null_observations"])


def _series(options: dict[str, int]) -> tuple[list[tuple[cases.Case, cases.Values]], ...]:
    few = options["peer_repetitions"]
    nulls = [(case, cases.without_change(case, options)[:few]) for case in cases.nulls()]
    return nulls, [(case, cases.with_change(case, options)[:few]) for case in cases.changes()]


def _calibration(scores: Scores, tuned: float | None) -> list[dict[str, Any]]:
    """Give the rows of the default and the tuned threshold, measured on numbers that the tuning did not see."""
    law = cases.null_of(scores.job.kind).name
    return [
        {
            "detector": scores.name,
            "setting": setting,
            "knob": knob,
            "law": law,
            "null": None if knob is None else scores.run_length(knob),
        }
        for setting, knob in (("default", scores.default), ("tuned", tuned))
    ]

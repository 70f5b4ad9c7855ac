"""Evidently's own choice of test between a stream's first window and its sliding one; runs in .venv-evidently.

Reads an .npz (arrays of series, and `task`, JSON: what to do with them), writes an .npz (arrays of scores, and `answer`,
JSON). Which test, at which threshold, and whether that is drift, says Evidently: `get_stattest` without a name is what
`ValueDrift`, and so `DataDriftPreset`, calls for a column; the plots that those also make are left out.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version
from multiprocessing import Pool
from typing import Any

import numpy as np
import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.legacy.calculations.stattests import get_stattest
from evidently.legacy.core import ColumnType
from evidently.presets import DataDriftPreset


def main(given: str, wanted: str) -> None:
    """Answer the task of one file into the other."""
    with np.load(given) as file:
        arrays = dict(file)
    task = json.loads(str(arrays.pop("task")))
    answer: dict[str, Any] = {"version": version("evidently"), "jobs": []}
    if task["speed_looks"]:
        answer["speed"] = [_speed(arrays[job["values"]][0], job, task["speed_looks"]) for job in task["jobs"]]
        answer["reports_per_second"] = _reports(arrays[task["jobs"][0]["values"]][0], task["jobs"][0])
    scores = {}
    with Pool(task["processes"]) as pool:
        for number, job in enumerate(task["jobs"]):
            series = arrays[job["values"]]
            found = pool.starmap(looks, [(each, job) for each in series], chunksize=1)
            scores[str(number)] = np.array([each for each, _ in found])
            tests = {test for _, chosen in found for test in chosen}
            answer["jobs"].append(
                {
                    "tests": sorted(name for name, _, _ in tests),
                    "p_values": sorted({p_value for _, p_value, _ in tests}),
                    "thresholds": sorted({threshold for _, _, threshold in tests}),
                }
            )
    np.savez(wanted, answer=np.array(json.dumps(answer)), **scores)


def looks(values: np.ndarray, job: dict[str, Any]) -> tuple[np.ndarray, set[tuple[str, bool, float]]]:
    """Give the score of each look at one series, NaN after the one that ended it, and the tests that Evidently chose.

    A look compares the last `window` values with the first `reference`; one follows another after `stride` values. With
    `stop`, the first drift at `threshold` (Evidently's own where it is null) is the last look.
    """
    reference, window = job["reference"], job["window"]
    categorical = job["kind"] == "categorical"
    kind = ColumnType.Categorical if categorical else ColumnType.Numerical
    column = pd.Series(values.astype(np.int64) if categorical else values)
    first = column[:reference]
    ends = range(reference + window, len(values) + 1, job["stride"])
    scores, chosen = np.full(len(ends), np.nan), set()
    for look, end in enumerate(ends):
        current = column[end - window : end]
        test = get_stattest(first, current, kind, None)
        found = test(first, current, kind, job["threshold"])
        scores[look] = found.drift_score
        chosen.add((test.name, test.display_name.endswith("p_value"), test.default_threshold))
        if job["stop"] and found.drifted:
            break
    return scores, chosen


def _speed(values: np.ndarray, job: dict[str, Any], count: int) -> float:
    """Time looks at one series: looks a second of this process's own time, after one that loads what is loaded late."""
    one = job["reference"] + job["window"]
    looks(values[:one], job)
    some = values[: one + (count - 1) * job["stride"]]
    begun = time.process_time()
    scores, _ = looks(some, job | {"stop": False})
    return len(scores) / (time.process_time() - begun)


def _reports(values: np.ndarray, job: dict[str, Any], count: int = 10) -> float:
    """Time the whole preset on the windows of a numeric series, likewise: reports a second."""
    columns = DataDefinition(numerical_columns=["value"])
    reference = Dataset.from_pandas(pd.DataFrame({"value": values[: job["reference"]]}), data_definition=columns)
    begun = 0.0
    for number in range(count + 1):
        begun = time.process_time() if number == 1 else begun
        window = values[-job["window"] :]
        current = Dataset.from_pandas(pd.DataFrame({"value": window}), data_definition=columns)
        Report([DataDriftPreset()]).run(current, reference)
    return count / (time.process_time() - begun)


if __name__ == "__main__":
    main(*sys.argv[1:])

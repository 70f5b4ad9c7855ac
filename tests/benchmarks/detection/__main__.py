"""``make benchmark-detection``: measures, and writes docs/detection.json and the tables of docs/detection.md."""

from __future__ import annotations

import argparse
import json
import time
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import numpy as np

from tests.benchmarks.detection import batch, cases, equal, floors, measure, oracle, ours, peers, report
from tests.benchmarks.machine import machine

FULL = {
    "seed": 7,
    "arl": 100_000,
    "streams": 1_000,
    "observations": 3_200,
    "warm_up": 200,
    "change_at": 2_000,
    "season_weeks": 6,
    "repetitions": 400,
    "peer_repetitions": 100,
    "peer_null_streams": 100,
    "peer_null_observations": 20_000,
    "bisection_steps": 6,
    "oracle_observations": 20_000_000,
    "speed_streams": 100_000,
    "speed_runs": 400,
    "speed_rounds": 10,
    "river_rounds": 64,  # ADWIN looks for a change at every 32nd value
    "evidently_small_reference": 1_000,  # its default up to here is a test with a p-value
    "evidently_small_window": 200,
    "evidently_large_reference": 1_100,  # from here a distance, which needs more values to be below its threshold
    "evidently_large_window": 500,
    "evidently_stride": 20,
    "evidently_speed_looks": 200,
    "own_streams": 2_000,  # without change, of ours: its rows alone are cheap
    "floor_repetitions": 1_000,
    "floor_null_streams": 400,
    "equal_repetitions": 400,
    "equal_null_streams": 300,
    "processes": 2,
}
SHORT = FULL | {
    "streams": 500,
    "repetitions": 100,
    "peer_repetitions": 20,
    "peer_null_streams": 15,
    "bisection_steps": 3,
    "oracle_observations": 5_000_000,
}
QUICK = FULL | {
    "streams": 5,
    "observations": 400,
    "change_at": 300,
    "season_weeks": 3,
    "repetitions": 5,
    "peer_repetitions": 2,
    "peer_null_streams": 2,
    "peer_null_observations": 500,
    "bisection_steps": 1,
    "oracle_observations": 20_000,
    "speed_streams": 20,
    "speed_runs": 60,
    "speed_rounds": 2,
    "river_rounds": 2,
    "evidently_small_reference": 100,
    "evidently_small_window": 50,
    "evidently_large_reference": 150,
    "evidently_stride": 50,
    "evidently_large_window": 50,
    "evidently_speed_looks": 2,
    "own_streams": 5,
    "floor_repetitions": 5,
    "floor_null_streams": 4,
    "equal_repetitions": 2,
    "equal_null_streams": 2,
    "processes": 1,
}


def main() -> None:
    """Run the benchmark."""
    given = argparse.ArgumentParser(prog="make benchmark-detection", description=__doc__)
    given.add_argument("--seed", type=int, default=FULL["seed"])
    sizes = given.add_mutually_exclusive_group()
    sizes.add_argument("--short", action="store_true", help="fewer repetitions: wide intervals")
    sizes.add_argument("--quick", action="store_true", help="tiny sizes that check the machinery; writes nothing")
    sizes.add_argument(
        "--tables", action="store_true", help="measure nothing: write the tables from docs/detection.json"
    )
    sizes.add_argument(
        "--evidently",
        action="store_true",
        help="Evidently alone, at the sizes and beside the others of docs/detection.json",
    )
    sizes.add_argument(
        "--ours", action="store_true", help="ours alone, at the sizes and beside the others of docs/detection.json"
    )
    sizes.add_argument(
        "--floors",
        action="store_true",
        help="what no detector can beat that learns, into docs/detection.json and the page",
    )
    sizes.add_argument(
        "--equal",
        action="store_true",
        help="ADWIN and ours at equal run lengths on each law, into docs/detection.json and the page",
    )
    sizes.add_argument("--speed", action="store_true", help="speed alone, into docs/detection.json and the page")
    options = given.parse_args()
    if options.tables or options.evidently or options.ours or options.floors or options.equal or options.speed:
        results = json.loads(report.RESULTS.read_text(encoding="utf-8"))
        if options.evidently:
            results["options"] = {k: v for k, v in FULL.items() if k.startswith("evidently")} | results["options"]
            results["evidently"] = batch.measured(results["options"])
        if options.ours:
            _ours(results)
        results["options"] |= {
            each: value for each, value in FULL.items() if each.startswith(("own", "floor", "equal"))
        }
        if options.floors:
            results["floors"] = floors.measured(results["options"])
        if options.equal:
            results["equal"] = equal.measured(results["options"])
        if options.speed:
            results["speed_on"] = machine() | {"at": f"{datetime.now(UTC):%Y-%m-%d %H:%M}"}
            results["options"] |= {name: value for name, value in FULL.items() if name.startswith(("speed", "river"))}
            results["speed"] = _speed(results["options"])
        report.record(results)
        return
    size = (QUICK if options.quick else SHORT if options.short else FULL) | {"seed": options.seed}
    results = measured(size)
    for text in report.tables(results).values():
        print(text, end="\n\n")
    if not options.quick:
        report.record(results)


def _ours(results: dict[str, Any]) -> None:
    """Measure our rows anew on the numbers of the others'."""
    options = results["options"]
    rows = {row["case"]: row for row in results["nulls"] if row["detector"] == "ours"}
    for case in cases.nulls():
        rows[case.name] |= _null_of_ours(case, options)
    methods = {row["case"]: row["methods"] for row in results["changes"]}
    for case in cases.changes():
        alarms = ours.run(case, cases.with_change(case, options), options["arl"])
        methods[case.name]["ours"] = measure.delays(alarms, case.change_at(options))
    first = {name: _first_of_ours(name, values, options) for name, values, _ in peers.bundled()}
    for row in results["series"]:
        row["ours"] = first[row["series"]]
    results["ours_at"] = f"{datetime.now(UTC):%Y-%m-%d}"


def _null_of_ours(case: cases.Case, options: dict[str, int]) -> dict[str, Any]:
    values = cases.without_change(case, options | {"streams": options["own_streams"]})
    warm_up = max(options["warm_up"], cases.DAY) if case.kind == "continuous" else options["warm_up"]
    return measure.run_length(ours.run(case, values, options["arl"]), warm_up)


def _first_of_ours(name: str, values: cases.Values, options: dict[str, int]) -> int:
    case = cases.Case(name, "continuous", cases.nulls()[0].before)
    return int(ours.run(case, values, options["arl"]).first[0])


def _speed(options: dict[str, int]) -> dict[str, Any]:
    """Updates a second of ours and of river's, and the checkpoint."""
    speed = ours.speed(cases.numbers(options, "speed"), options["speed_streams"], options["warm_up"], options)
    speed["river_updates_per_second"] = peers.speed(
        cases.numbers(options, "river"), options["speed_streams"], options["river_rounds"]
    )
    return speed


def measured(options: dict[str, int]) -> dict[str, Any]:
    """Measure everything at the given sizes."""
    begun, on = time.monotonic(), machine()
    speed = _speed(options)
    _say(begun, "speed")
    theirs = batch.measured(options)
    _say(begun, "Evidently" if theirs else "Evidently is not measured: no .venv-evidently")
    calibration = _calibration(options)
    _say(begun, "calibration")
    nulls = [row for case in cases.nulls() for row in _null(case, options)]
    _say(begun, "nulls")
    changes = [_change(case, options, calibration) for case in cases.changes()]
    return {
        "machine": on,
        "river": version("river"),
        "evidently": theirs,
        "at": f"{datetime.now(UTC):%Y-%m-%d}",
        "options": options,
        "speed": speed,
        "calibration": calibration,
        "nulls": nulls,
        "changes": changes,
        "series": _series(options),
        "floors": floors.measured(options),
        "equal": equal.measured(options),
        "minutes": round((time.monotonic() - begun) / 60, 1),
    }


def _say(begun: float, what: str) -> None:
    print(f"{time.monotonic() - begun:6.0f} s  {what}", flush=True)


def _calibration(options: dict[str, int]) -> list[dict[str, Any]]:
    """Default and tuned knob of each peer; the run length of the knob found is measured on numbers of its own."""
    n = options["peer_null_observations"]
    found = []
    for name, (kind, _, default, _, _) in peers.PEERS.items():
        law = cases.null_of(kind)
        streams = max(options["peer_null_streams"] // (4 if name in peers.SLOW else 1), 2)
        tune, check = (law.before(cases.numbers(options, f"{name} {part}"), streams, n) for part in ("tune", "check"))
        knobs: dict[str, float | None] = {
            "default": default,
            "tuned": peers.tuned(name, tune, options["arl"], options["bisection_steps"], options["processes"]),
        }
        for setting, knob in knobs.items():
            null = None if knob is None else measure.run_length(peers.run(name, knob, check, options["processes"]))
            found.append({"detector": name, "setting": setting, "knob": knob, "law": law.name, "null": null})
    return found


def _null(case: cases.Case, options: dict[str, int]) -> list[dict[str, Any]]:
    values = cases.without_change(case, options)
    rows = [("ours", _null_of_ours(case, options))]
    for name in peers.of_kind(case):
        few = values[: options["peer_repetitions"]]
        alarms = peers.run(name, peers.PEERS[name][2], few, options["processes"])
        rows.append((f"{name}, default", measure.run_length(alarms)))
    return [{"case": case.name, "detector": name, **found} for name, found in rows]


def _change(case: cases.Case, options: dict[str, int], calibration: list[dict[str, Any]]) -> dict[str, Any]:
    change = case.change_at(options)
    values = cases.with_change(case, options)
    methods = {"ours": ours.run(case, values, options["arl"])}
    if case.llr is not None:
        limit = oracle.threshold(
            case, cases.numbers(options, f"oracle {case.name}"), options["arl"], options["oracle_observations"]
        )
        methods["oracle"] = oracle.run(case, values, limit)
    few = values[: options["peer_repetitions"]]
    for each in calibration:
        if each["detector"] in peers.of_kind(case) and each["knob"] is not None:
            methods[report.label(each, options["arl"])] = peers.run(
                each["detector"], each["knob"], few, options["processes"]
            )
    count = len(few)
    methods["always alarms †"] = measure.Alarms(np.zeros(count, np.int64), np.full(count, np.nan), 2 * change)
    delays = {name: measure.delays(alarms, change) for name, alarms in methods.items()}
    return {"case": case.name, "aim": case.aim, "methods": delays}


def _series(options: dict[str, int]) -> list[dict[str, Any]]:
    found = []
    for name, values, marks in peers.bundled():
        first = {
            "ours": _first_of_ours(name, values, options),
            "ADWIN": int(peers.run("ADWIN", 0.002, values).first[0]),
        }
        found.append({"series": name, "observations": values.shape[1], "marks": marks, **first})
    return found


if __name__ == "__main__":
    main()

"""``make benchmark``: measures, and writes docs/benchmarks.json and the tables of docs/benchmarks.md."""

from __future__ import annotations

import argparse
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.benchmarks import alerting, freshness, growth, month, readers, refreshing, report, throughput, viewing
from tests.benchmarks.machine import machine
from tests.benchmarks.traffic import traffic

SCENARIOS = ("throughput", "freshness", "growth", "refresh", "alerting", "warehouse", "readers", "dashboard")
_RATES = (1_000, 10_000, 30_000)


def main() -> None:
    """Run the scenarios asked for."""
    options = argparse.ArgumentParser(prog="make benchmark", description=__doc__)
    options.add_argument("scenarios", nargs="*", choices=[*SCENARIOS, []], help="default: all")
    options.add_argument("--spans", type=int, default=1_000_000, help="spans of the throughput scenario")
    options.add_argument("--seconds", type=float, default=60.0, help="seconds of each freshness rate")
    options.add_argument("--grow-to", type=int, default=50_000_000, help="rows of the largest warehouse")
    options.add_argument("--refresh-spans", type=int, default=10_000_000, help="rows of the refreshed warehouse")
    options.add_argument("--warehouse-spans", type=int, default=50_000_000, help="rows of the warehouse that is asked")
    options.add_argument("--alerting-rates", type=int, nargs="+", default=[1_000, 10_000], help="spans/s of alerting")
    options.add_argument("--storm-signals", type=int, default=10_000, help="signals of the storm of alerting")
    options.add_argument("--viewed-spans", type=int, default=50_000_000, help="spans behind the marts of the dashboard")
    options.add_argument(
        "--viewed-seconds", type=float, default=120.0, help="how long they look, after half of it to warm up"
    )
    options.add_argument("--viewers", type=int, default=20, help="viewers of the dashboard at once")
    options.add_argument(
        "--viewed-rate", type=int, default=5_000, help="spans/s streamed beside the dashboard; 0: none"
    )
    options.add_argument("--readers-spans", type=int, default=200_000, help="spans of each round of readers")
    options.add_argument("--readers-rounds", type=int, default=2, help="rounds with readers, and as many without")
    options.add_argument("--seed", type=int, default=7)
    options.add_argument("--scratch", type=Path, help="directory for traffic and warehouses; default: a temporary one")
    options.add_argument("--print-only", action="store_true", help="do not write the results to docs/")
    given = options.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="plumbline-benchmark-", dir=given.scratch))
    try:
        for name in given.scenarios or SCENARIOS:
            before = machine()
            figures = globals()[f"_{name}"](scratch / name, given)
            shutil.rmtree(scratch / name, ignore_errors=True)
            result = {"machine": before, "seed": given.seed, "at": f"{datetime.now(UTC):%Y-%m-%d}", "figures": figures}
            print(f"{name}\n{report.table(name, result)}\n", flush=True)
            if not given.print_only:
                report.record({name: result})
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _throughput(scratch: Path, given: argparse.Namespace) -> dict[str, Any]:
    load = traffic(scratch / "traffic", given.spans, seed=given.seed)
    return {"Kafka": throughput.from_kafka(scratch, load), "files": throughput.from_files(scratch, load)}


def _freshness(scratch: Path, given: argparse.Namespace) -> list[dict[str, Any]]:
    found = []
    for rate in _RATES:
        load = traffic(scratch / f"traffic{rate}", round(rate * given.seconds * 1.1), seed=given.seed)
        found.append(freshness.at_rate(scratch, load, rate, given.seconds))
    return found


def _growth(scratch: Path, given: argparse.Namespace) -> list[dict[str, Any]]:
    sizes = [size for size in (1_000_000, 5_000_000, 10_000_000, 25_000_000) if size < given.grow_to]
    return growth.growth(scratch, [*sizes, given.grow_to], seed=given.seed)


def _refresh(scratch: Path, given: argparse.Namespace) -> list[dict[str, Any]]:
    return refreshing.refreshing(scratch, given.refresh_spans, seed=given.seed)


def _alerting(scratch: Path, given: argparse.Namespace) -> dict[str, Any]:
    rates = [alerting.at_rate(scratch, rate, given.seconds, seed=given.seed) for rate in given.alerting_rates]
    return {"rates": rates, "storm": alerting.storm(scratch, given.storm_signals)}


def _warehouse(scratch: Path, given: argparse.Namespace) -> dict[str, Any]:
    return month.month(scratch, given.warehouse_spans, seed=given.seed)


def _dashboard(scratch: Path, given: argparse.Namespace) -> dict[str, Any]:
    rate = given.viewed_rate
    return viewing.viewing(
        scratch,
        given.viewed_spans,
        viewers=given.viewers,
        seconds=given.viewed_seconds,
        seed=given.seed,
        warm_up=given.viewed_seconds / 2,
        rate=rate,
        # For the viewers' time, and four minutes for what comes after.
        streamed=round(rate * (1.5 * given.viewed_seconds + 240)),
    )


def _readers(scratch: Path, given: argparse.Namespace) -> dict[str, Any]:
    return readers.beside(scratch, given.readers_spans, given.readers_rounds, seed=given.seed)


if __name__ == "__main__":
    main()

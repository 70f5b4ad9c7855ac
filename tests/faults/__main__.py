"""`make faults`: every scenario over all seeds, and a table; the exit status says whether anything was lost or doubled.

``python -m tests.faults [--seeds N] [--first N] [SCENARIO…]``; a scenario is named by any part of its name.
"""

from __future__ import annotations

import argparse
import functools
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from pipelines.broker import Broker, available
from tests.faults.ground import Ground, Result
from tests.faults.scenarios import SCENARIOS, Wrong, broker_killed


def main() -> int:
    parser = argparse.ArgumentParser(prog="make faults", description="Kills everything, and counts what that cost.")
    parser.add_argument("--seeds", type=int, default=100, help="seeds for each scenario")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("scenarios", nargs="*", help="parts of the names of scenarios; all by default")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # told to stop, it still says how far it came
    kafka = available()
    if not kafka.ok:
        print(f"no Kafka: {kafka.reason}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="plumbline-faults-") as folder:
        broker = Broker(Path(folder) / "broker-home")
        ground = Ground(broker.start(port=0), Path(folder), "faults")
        try:
            return _run(ground, broker, options)
        finally:
            broker.stop()


def _run(ground: Ground, broker: Broker, options: argparse.Namespace) -> int:
    every = {**SCENARIOS, "broker killed under load": functools.partial(broker_killed, broker=broker)}
    chosen = {
        name: run
        for name, run in every.items()
        if not options.scenarios or any(part in name for part in options.scenarios)
    }
    print(f"{len(ground.spans):,} spans, {len(ground.alarms[0])} signals, {len(ground.alarms[1])} incidents unbroken")
    results: dict[str, list[Result | None]] = {name: [] for name in chosen}
    began = time.monotonic()
    try:
        # Seed by seed through all scenarios: a run that is interrupted has tried each of them about as often.
        for seed in range(options.first, options.first + options.seeds):
            for name, run in chosen.items():
                results[name].append(_tried(ground, name, run, seed))
            print(f"seed {seed}: {time.monotonic() - began:,.0f} s", flush=True)
    except KeyboardInterrupt:
        print("interrupted")
    print(table(results))
    print(f"{time.monotonic() - began:,.0f} s")
    tried = [result for each in results.values() for result in each]
    idle = [name for name, each in results.items() if not any(result and result.kills for result in each)]
    return int(bool(idle) or not all(result and result.clean for result in tried))


def _tried(ground: Ground, name: str, run: Callable[[Ground, int], Result], seed: int) -> Result | None:
    """Return what a seed gave; None, and why, where the product hung or ended otherwise than it should."""
    try:
        result = run(ground, seed)
    except Wrong as error:
        print(f"  {name}, seed {seed}: {error}", flush=True)
        return None
    if not result.clean:
        print(f"  {name}, seed {seed}: {result}", flush=True)
    return result


def table(results: dict[str, list[Result | None]]) -> str:
    """Return the summary: per scenario how many seeds, faults, and what they cost."""
    lines = [
        "| scenario | seeds | kills | lost | doubled | offsets | incidents | notifications | failed |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, each in results.items():
        done = [result for result in each if result is not None]
        sums = [sum(getattr(result, column) for result in done) for column in Result.__slots__]
        lines.append(f"| {' | '.join(map(str, (name, len(each), *sums, len(each) - len(done))))} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())

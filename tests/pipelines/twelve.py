"""Detection on simulated files without a warehouse, and how it did on each drift: for tests and for docs/drift.md.

``python tests/pipelines/twelve.py SEED…`` prints the table over weeks of six workflows (simulated traffic).
"""

from __future__ import annotations

import itertools
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

import polars as pl

from detectors import Monitor
from pipelines.batch import prepare
from pipelines.commands.demo import CATALOG, Verdict, verdicts
from pipelines.contracts.catalog import load_catalog
from pipelines.contracts.drift_names import DEFAULT_DRIFTS, DRIFTS
from pipelines.detection import watched
from pipelines.history import History
from pipelines.latches import Latches
from pipelines.runs import FACTS, OpenRuns
from pipelines.settings import Settings
from pipelines.simulate import Truth, simulate
from pipelines.sources.files import FileSource
from pipelines.stages.rules import Declared

_KEY = ["trace_id", "span_id"]
_MESSAGES = 400


def detect(folder: Path, truth: Truth) -> pl.DataFrame:
    """Return the signals that the product's own stages and detectors raise on a simulation's files."""
    settings = Settings(catalog=CATALOG)
    runs = OpenRuns(
        lateness=timedelta(seconds=settings.allowed_lateness_seconds),
        timeout=timedelta(seconds=settings.run_timeout_seconds),
    )
    tables = load_catalog(CATALOG).tables()
    policies = tables["catalog_policies"]
    declared = Declared.of(tables["catalog_workflows"], tables["catalog_tools"])
    source = FileSource([str(folder / name) for name in truth.files])
    monitor, latches, history, signals = Monitor(), Latches(), History(), []
    source.seek(dict)
    while not (messages := source.poll(_MESSAGES, 0.0)).is_empty():
        # Requests that came twice are dropped by the transaction in the product, by their bytes here.
        batch = prepare(messages.unique("value", keep="first", maintain_order=True), settings)
        spans = batch.spans.unique(_KEY, keep="first", maintain_order=True)
        runs.add(spans, {name: batch.facts[name].unique(maintain_order=True) for name in FACTS})
        topic = messages["topic"][-1]
        signals.append(watched(runs.release({(topic, 0)}, policies, declared), monitor, latches, history))
    signals.append(watched(runs.release(set(), policies, declared), monitor, latches, history))
    return pl.concat(signals)


def judged(truth: Truth, signals: pl.DataFrame) -> tuple[list[Verdict], int]:
    """Return the demo's verdicts, every signal taken for an incident of its own."""
    return verdicts(truth.document(), signals, signals.select("workflow", "at"))


#: Fleets of six workflows, each with drifts that do not share one: together every name.
_ROUNDS = (
    DEFAULT_DRIFTS,
    ("tool_misuse", "context", "reality", "governance", "human", "model"),
    ("economic", "intent"),
)


def _table(seeds: list[int]) -> None:
    """Print found, delay, stream per name and seed, and the false alarms of every week."""
    rows: dict[str, list[str]] = {name: [] for name in DRIFTS}
    for seed, names in itertools.product(seeds, _ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            truth = simulate(Path(folder), seed=seed, drifts=names)
            found, false = judged(truth, detect(Path(folder), truth))
        for each in found:
            hours = "missed" if each.delay is None else f"{each.delay.total_seconds() / 3600:.1f} h"
            rows[each.name].append(f"{hours} {each.stream}")
        print(f"seed {seed}, {', '.join(names)}: {truth.spans:,} spans, {false} false", file=sys.stderr)
    for name, cells in rows.items():
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    _table([int(seed) for seed in sys.argv[1:]])

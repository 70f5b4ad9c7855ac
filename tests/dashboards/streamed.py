"""A home made by the product itself: a day and a half of a simulated fleet through the stream, and every mart built.

Beside `fleet.py`, whose tables are written by hand: here marts have their own columns and rows, so that pages which read many of
them are tested with what they will meet.
"""

from __future__ import annotations

from pathlib import Path

from pipelines.commands.demo import CATALOG
from pipelines.commands.flow import run_stream
from pipelines.comparisons import write_comparisons
from pipelines.settings import Settings
from pipelines.simulate import simulate
from warehouse import Warehouse, marts


def write_streamed(home: Path, *, days: float = 1.5, workflows: int = 4, rate: float = 2.0, seed: int = 7) -> Path:
    """Home with `days` of `workflows` workflows with `rate` runs an hour each, without drift; the catalog is the example's."""
    traffic = home / "traffic"
    truth = simulate(traffic, seed=seed, days=days, workflows=workflows, rate=rate, drifts=())
    settings = Settings(home=home, catalog=CATALOG)
    run_stream(settings, "files", [str(traffic / name) for name in truth.files], until_end=True)
    with Warehouse.open(settings.warehouse) as warehouse:
        marts.put_live_views(warehouse)
        for name in marts.names():
            marts.build(warehouse, name)
        write_comparisons(warehouse)
    return home

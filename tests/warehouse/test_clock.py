"""The warehouse's clock is the latest end of a sound span, wherever that span lies among the others."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.warehouse.fleet import Fleet
from warehouse import Warehouse, marts

NOW = datetime(2026, 3, 1, 12)
HOUR = timedelta(hours=1)
BROKEN = {"quality_flags": ["time_out_of_range"]}
RECENT = {"started_at": NOW - HOUR / 2, "ended_at": NOW - HOUR / 4}


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        pytest.param([], None, id="no span"),
        pytest.param([RECENT], NOW - HOUR / 4, id="one"),
        pytest.param([RECENT, {"started_at": NOW - 90 * HOUR, "ended_at": NOW}], NOW, id="the one that lasted longest"),
        pytest.param([RECENT, {"started_at": NOW}], NOW, id="no end"),
        pytest.param([RECENT, {"started_at": NOW - 9 * HOUR}], NOW - HOUR / 4, id="no end long ago"),
        pytest.param([RECENT, {"ended_at": NOW}], NOW, id="no start"),
        pytest.param([{"ended_at": NOW}], NOW, id="no start at all"),
        pytest.param([{}], None, id="no time at all"),
        pytest.param(
            [RECENT, {"started_at": datetime(2100, 1, 1), "ended_at": datetime(2100, 1, 1), **BROKEN}],
            NOW - HOUR / 4,
            id="one ahead by years",
        ),
        pytest.param(
            [RECENT, {"started_at": NOW, "ended_at": NOW, **BROKEN}], NOW - HOUR / 4, id="the last one is broken"
        ),
        pytest.param(
            [
                {"started_at": NOW - 9 * HOUR, "ended_at": NOW - 8 * HOUR},
                {"started_at": NOW, "ended_at": NOW, **BROKEN},
            ],
            NOW - 8 * HOUR,
            id="none but a broken one in the last hour",
        ),
        pytest.param([{"started_at": NOW, "ended_at": NOW - HOUR}], NOW - HOUR, id="an end before the start"),
    ],
)
def test_latest_end_of_a_sound_span(empty: Warehouse, spans: list[dict[str, Any]], expected: datetime | None) -> None:
    it = Fleet()
    for number, span in enumerate(spans):
        it.add("spans", trace_id="t", run_id="t", span_id=f"{number}", kind="model", workflow="a", **span)
    it.store(empty)
    marts.build(empty, "event_clock")
    assert empty.query("SELECT latest_at FROM event_clock").item() == expected

"""The benchmark itself: small, so that it works when somebody needs a figure. Nothing here looks at a time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.benchmarks import report, throughput
from tests.benchmarks.machine import machine
from tests.benchmarks.traffic import traffic


@pytest.mark.slow
def test_throughput_counts_what_is_stored_and_its_page_shows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = traffic(tmp_path / "traffic", 4_000, seed=3)
    found = throughput.from_files(tmp_path, load)
    assert found["spans"] == load.spans
    assert 1_000 < found["wire_bytes_per_span"] < 1_500
    assert {"poll", "decode", "normalise", "price", "commit", "detect"} <= set(found["steps"])

    page = tmp_path / "benchmarks.md"
    page.write_text("before\n<!-- throughput -->\nold\n<!-- end -->\nafter\n")
    monkeypatch.setattr(report, "PAGE", page)
    monkeypatch.setattr(report, "RESULTS", tmp_path / "benchmarks.json")
    report.record({"throughput": {"machine": machine(), "seed": 3, "at": "2026-11-22", "figures": {"files": found}}})
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("after\n") and "old" not in text
    assert f"| spans stored | {load.spans:,} |" in text
    assert (
        json.loads((tmp_path / "benchmarks.json").read_text())["throughput"]["figures"]["files"]["spans"] == load.spans
    )

"""Simulated traffic of a wanted number of spans of about 1.2 KB, as a Collector would deliver it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pipelines.simulate import simulate

#: Bytes of message text per model call that bring the mean span to about 1.2 KB on the wire.
CONTENT_BYTES = 830
WORKFLOWS = 24
_SPANS_PER_RUN = 9.0
_START = datetime(2026, 9, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Traffic:
    """Files of one simulation."""

    files: tuple[Path, ...]
    spans: int
    delivered: int
    bytes: int


def traffic(directory: Path, spans: int, *, seed: int, day: int = 0) -> Traffic:
    """Return about ``spans`` spans of one day (``day`` days after 2026-09-01), no drift injected."""
    rate = spans / (24 * WORKFLOWS * _SPANS_PER_RUN)
    truth = simulate(
        directory,
        seed=seed,
        days=1,
        workflows=WORKFLOWS,
        rate=rate,
        drifts=(),
        content_bytes=CONTENT_BYTES,
        start=_START + timedelta(days=day),
    )
    files = tuple(directory / name for name in truth.files)
    return Traffic(files, truth.spans, truth.delivered_spans, sum(path.stat().st_size for path in files))

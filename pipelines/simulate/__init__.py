"""Seeded traffic of a fleet of agent workflows as OTLP files, with known drifts injected.

Demo, benchmarks and users' own trials use it. In order: :mod:`.fleet` (who), :mod:`.behaviour`, :mod:`.changes` and
:mod:`.drift` (what changes, by how much, where and when),
:mod:`.arrivals` (when), :mod:`.paths` and :mod:`.runs` (what each run does), :mod:`.happenings` (events),
:mod:`.dialects` and :mod:`.encode` (bytes), :mod:`.simulation` (the loop).
"""

from pipelines.contracts.drift_names import DEFAULT_DRIFTS, DRIFTS, TWELVE

from .drift import Drift
from .fleet import fleet
from .simulation import DEFAULT_RATE, DEFAULT_START, simulate
from .truth import Truth

__all__ = ["DEFAULT_DRIFTS", "DEFAULT_RATE", "DEFAULT_START", "DRIFTS", "TWELVE", "Drift", "Truth", "fleet", "simulate"]

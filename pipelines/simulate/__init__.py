"""Seeded traffic of a fleet of agent workflows as OTLP files, with known drifts injected.

Demo, benchmarks and users' own trials use it. In order: :mod:`.fleet` (who), :mod:`.drift` (what changes),
:mod:`.arrivals` (when), :mod:`.paths` and :mod:`.runs` (what each run does), :mod:`.happenings` (events),
:mod:`.dialects` and :mod:`.encode` (bytes), :mod:`.simulation` (the loop).
"""

from .drift import DRIFTS, Drift
from .fleet import fleet
from .simulation import DEFAULT_RATE, DEFAULT_START, simulate
from .truth import Truth

__all__ = ["DEFAULT_RATE", "DEFAULT_START", "DRIFTS", "Drift", "Truth", "fleet", "simulate"]

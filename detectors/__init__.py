"""Online drift detection: pure functions of the observations, no I/O.

``Monitor`` takes frames of observations and gives signals. Flow inside: `registry` (stream keys → slots) →
`kernels.budget` (thresholds) → `banks` and their `kernels` (transform, statistic, onset) → `evidence` (signals).

The monitor is imported when it is asked for: its kernels take the compiler, which comparisons of releases do without.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from detectors.errors import DetectorError, ObservationError, SettingsError, StateError
from detectors.readiness import READINESS_SCHEMA
from detectors.settings import MonitorSettings

if TYPE_CHECKING:
    from detectors.monitor import OBSERVATION_COLUMNS, SIGNAL_SCHEMA, STREAM_SCHEMA, Monitor

__all__ = [
    "OBSERVATION_COLUMNS",
    "READINESS_SCHEMA",
    "SIGNAL_SCHEMA",
    "STREAM_SCHEMA",
    "DetectorError",
    "Monitor",
    "MonitorSettings",
    "ObservationError",
    "SettingsError",
    "StateError",
]

_OF_MONITOR = frozenset({"OBSERVATION_COLUMNS", "SIGNAL_SCHEMA", "STREAM_SCHEMA", "Monitor"})


def __getattr__(name: str) -> object:
    """Names of `detectors.monitor`."""
    if name in _OF_MONITOR:
        return getattr(import_module("detectors.monitor"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""Online drift detection: pure functions of the observations, no I/O.

``Monitor`` takes frames of observations and gives signals. Flow inside: `registry` (stream keys → slots) →
`kernels.budget` (thresholds) → `banks` and their `kernels` (transform, statistic, onset) → `evidence` (signals).
"""

from detectors.errors import DetectorError, ObservationError, SettingsError, StateError
from detectors.monitor import OBSERVATION_COLUMNS, SIGNAL_SCHEMA, STREAM_SCHEMA, Monitor
from detectors.readiness import READINESS_SCHEMA
from detectors.settings import MonitorSettings

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

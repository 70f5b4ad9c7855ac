"""Single values far beyond the tail of a continuous stream: told as spikes, whatever its drift's detector says.

`detectors.monitor` gives it the rows that it gives the continuous bank, with the same places.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from detectors.evidence import amount, moment, plain, unit_of
from detectors.kernels.continuous import DAY
from detectors.kernels.spike import LAYOUT, observe_spikes
from detectors.registry import Key
from detectors.state import Arrays, as_records, column, columns, records, without

#: Part of the alarm budget that is the spikes'.
SHARE = 0.1
#: What a spike's ln(threshold) is above the drifts'.
STRICTER = math.log((1 - SHARE) / SHARE)


@dataclass(slots=True)
class SpikeBank:
    r"""Values improbable under the stream's own tail, extrapolated by a power law.

    The tail begins at *u*, the 21st greatest value of the warm-up. With *k* of the *n* values before beyond it and
    :math:`S = \sum \ln(x_i / u)` over those, the next one is as great as *x* with the probability

    .. math:: p = \frac{k + 1}{n + 1} \left(1 + \frac{\ln(x / u)}{S}\right)^{-k},

    the predictive law of an exponential excess of the logarithm, the error of estimating it included: exact for power-law
    tails, larger than the truth for lighter ones (log-normal, exponential, Poisson), so that there a spike must be greater.
    A spike at :math:`p \le 1/A`: of :math:`A` observations without spikes one is told at most. It enters the tail as the
    least spike there is, so that the next is judged by a tail that has seen one. Upwards only.

    References
    ----------
    Siffer, Fouque, Termier, Largouet (2017), Anomaly detection in streams with extreme value theory (peaks over a
    threshold). Hill (1975), A simple general approach to inference about the tail of a distribution.

    Parameters
    ----------
    warm_up : int
        Values of a stream before any is judged.
    first_day : int
        Microseconds before any is judged: within the first day nothing tells a spike from an hour of another level.
    """

    warm_up: int
    first_day: int = DAY
    streams: int = 0
    table: Any = field(init=False)
    arrays: Arrays = field(init=False)

    def __post_init__(self) -> None:
        self.table = records(LAYOUT, 0)
        self.arrays = columns(self.table)

    def ensure(self, streams: int) -> None:
        """Make room for so many streams."""
        if streams > len(self.table):
            known, self.table = self.table, records(LAYOUT, max(streams, 2 * len(self.table), 16))
            self.table[: len(known)] = known
            self.arrays = columns(self.table)
        self.streams = max(streams, self.streams)

    def observe(self, rows: pl.DataFrame) -> list[tuple[int, int, dict[str, float]]]:
        """Feed rows (slot, value, log_threshold); give slot, index in rows and what is to be told of each spike."""
        slots = column(rows, "slot")
        thresholds = column(rows, "log_threshold") + STRICTER
        found, before = observe_spikes(
            self.table, slots, column(rows, "value"), column(rows, "at"), thresholds, self.warm_up, self.first_day
        )
        names = ("log_e", "n", "mean", "tail_begins", "mean_log_excess")
        return [
            (int(slots[row]), int(row), {**dict(zip(names, facts, strict=True)), "threshold": float(thresholds[row])})
            for row, facts in zip(found.tolist(), before.tolist(), strict=True)
        ]

    def forget(self, slot: int) -> None:
        """Learn a stream's tail anew."""
        self.table[slot] = np.zeros((), self.table.dtype)

    def snapshot(self, sums: NDArray[np.float64]) -> Arrays:
        """Give the state, without spare room; `sums` are those of the streams' references.

        Where a stream never alarmed, its sum here is the same to the last bit, so what differs is nearly always nothing.
        """
        table = self.table[: self.streams]
        apart = np.ascontiguousarray(table["total"]).view(np.uint64) ^ np.ascontiguousarray(sums).view(np.uint64)
        return {"table": without(table, "total"), "total": apart}

    def restore(self, arrays: Arrays, sums: NDArray[np.float64]) -> None:
        """Take over what `snapshot` gave."""
        self.table = as_records(LAYOUT, arrays["table"], ("total",))
        self.arrays = columns(self.table)
        self.streams = len(self.table)
        self.arrays["total"][:] = (arrays["total"] ^ np.ascontiguousarray(sums).view(np.uint64)).view(np.float64)


def spike_signal(key: Key, at: int, value: float, told: dict[str, float]) -> dict[str, Any]:
    """Describe a spike as one row of the signals frame; ``log_e`` is -ln of the value's probability."""
    workflow, family, metric, dimension = key
    unit = unit_of(metric, "continuous")
    place = f"{plain(metric)} [{plain(dimension)}]" if dimension else plain(metric)
    tail = {name: float(f"{told[name]:.6g}") for name in ("tail_begins", "mean_log_excess")}
    return {
        "workflow": workflow,
        "family": family,
        "metric": metric,
        "dimension": dimension,
        "kind": "spike",
        "detector": "TailSpike",
        "at": moment(at),
        "onset_at": moment(at),
        "log_e": told["log_e"],
        "threshold": told["threshold"],
        "before_value": told["mean"],
        "after_value": value,
        "effect": value - told["mean"],
        "unit": unit,
        "n_before": int(told["n"]),
        "n_after": 1,
        "detail": json.dumps(tail, sort_keys=True),
        "headline": f"{plain(workflow)}: {place} spiked to {amount(value, unit)}, usually {amount(told['mean'], unit)}",
    }

"""Banks of detectors: one per kind of stream, each a table of records and the kernel that walks it.

A bank takes the accepted observations of its kind in order and gives back which stream alarmed at which row; the
`detectors.monitor` turns that into signals. Thresholds come from `detectors.kernels.budget`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from detectors.bank import Bank, column
from detectors.categories import Categories
from detectors.kernels import continuous, mix, rate
from detectors.state import Arrays, Layout, resized


@dataclass(slots=True)
class ContinuousBank(Bank):
    r"""Shifts of heavy-tailed, tied or autocorrelated values, upwards and downwards.

    The warm-up cuts the line into cells. With their weights (spacings of the warm-up plus later counts) a value in cell
    *k* has ranks between the cumulative shares :math:`W_{k-1}` and :math:`W_k` of the weights before it, and the score
    :math:`z = \frac{1}{W_k - W_{k-1}} \int_{W_{k-1}}^{W_k} \mathrm{clip}(\Phi^{-1}(u), \pm 2.5)\,du`. For exchangeable
    continuous data the weights are Pólya's urn, so :math:`E \exp(\delta z - \psi(\delta)) \le 1` holds while the
    reference is still being learned (Jensen; :math:`\psi` is the log-mgf of the clipped normal). Scores are whitened by
    :math:`(z_t - \rho z_{t-1})/\sqrt{1-\rho^2}`, :math:`\rho` from von Neumann's ratio, and feed the e-detector

    .. math:: R_t^{\delta} = (R_{t-1}^{\delta} + 1)\, e^{\delta z_t - \psi(\delta)}, \quad
              M_t = \tfrac18 \sum_{\delta \in \pm\{0.25, 0.5, 1, 1.75\}} R_t^{\delta}

    which alarms at :math:`M_t \ge A`; :math:`E M_t \le t` without change, so the average run length is at least *A*.

    References
    ----------
    Shin, Ramdas, Rinaldo (2022), E-detectors: a nonparametric framework for sequential change detection, eq. 8-11.
    von Neumann (1941), Distribution of the ratio of the mean square successive difference to the variance.
    """

    LAYOUT: ClassVar[Layout] = continuous.LAYOUT
    DETECTOR: ClassVar[str] = "ShiryaevRoberts"

    pool: NDArray[np.float64] = field(init=False)  # (rows, warm_up): samples of streams in warm-up
    free: list[int] = field(init=False)

    def __post_init__(self) -> None:
        Bank.__post_init__(self)
        self.pool, self.free = np.zeros((0, self.warm_up)), []

    def reference_n(self) -> NDArray[np.int64]:
        """Observations in the reference, per stream."""
        return self.arrays["reference_n"][: self.streams]

    def observe(self, rows: pl.DataFrame) -> list[tuple[int, int]]:
        """Feed rows in order; give (slot, index in rows) per alarm."""
        slots = column(rows, "slot")
        self._lend(slots)
        alarm_slots, alarm_rows = continuous.observe_continuous(
            self.table,
            self.pool,
            self.ring,
            slots,
            column(rows, "value"),
            column(rows, "at"),
            column(rows, "log_threshold"),
            self.warm_up,
        )
        self._give_back(slots)
        return list(zip(alarm_slots.tolist(), alarm_rows.tolist(), strict=True))

    def _lend(self, slots: NDArray[np.int64]) -> None:
        """Give a row of the pool to each stream in warm-up that holds none (holding one = row + 1, 0 is none)."""
        held, phase = self.arrays["buffer_row"], self.arrays["phase"]
        needy = np.unique(slots[(phase[slots] == continuous.WARMING) & (held[slots] == 0)])
        if len(needy) > len(self.free):
            old, more = len(self.pool), max(len(needy) - len(self.free), len(self.pool))
            self.pool = resized({"pool": self.pool}, old + more)["pool"]
            self.free.extend(range(old + more - 1, old - 1, -1))
        for slot in needy.tolist():
            held[slot] = self.free.pop() + 1

    def _give_back(self, slots: NDArray[np.int64]) -> None:
        held, phase = self.arrays["buffer_row"], self.arrays["phase"]
        for slot in np.unique(slots[(phase[slots] != continuous.WARMING) & (held[slots] > 0)]).tolist():
            self.free.append(int(held[slot]) - 1)
            held[slot] = 0

    def rearm(self, slot: int, *, relearn: bool) -> None:
        """Watch an alarmed stream again; a row of the pool that it holds goes back."""
        held = int(self.arrays["buffer_row"][slot])
        if held > 0 and relearn:
            self.free.append(held - 1)
        Bank.rearm(self, slot, relearn=relearn)

    def snapshot(self) -> Arrays:
        """Give the state; the pool's rows in the order of their streams, filled part only."""
        arrays = Bank.snapshot(self)
        held = arrays["buffer_row"]
        holders = np.flatnonzero(held)
        arrays["buffer_row"] = np.zeros_like(held)
        arrays["buffer_row"][holders] = np.arange(1, len(holders) + 1)
        filled = self.arrays["reference_n"][holders]
        parts = [self.pool[held[slot] - 1, :n] for slot, n in zip(holders.tolist(), filled.tolist(), strict=True)]
        arrays["pool"] = np.concatenate(parts) if parts else np.zeros(0)
        return arrays

    def restore(self, arrays: Arrays) -> None:
        """Take over what `snapshot` gave."""
        Bank.restore(self, arrays)
        holders = np.flatnonzero(self.arrays["buffer_row"])
        self.pool, self.free = np.zeros((len(holders), self.warm_up)), []
        at = 0
        for row, slot in enumerate(holders.tolist()):
            n = int(self.arrays["reference_n"][slot])
            self.pool[row, :n] = arrays["pool"][at : at + n]
            at += n


@dataclass(slots=True)
class RateBank(Bank):
    r"""Changes of a share of yes among yes/no observations, upwards and downwards.

    Observations of one run depend on each other, so the unit is the run, with its share *s* of yes. Against the
    predictive :math:`p = (\sum s + \frac12)/(n + 1)` (Krichevsky-Trofimov), odds times *k* give the e-value

    .. math:: e = \frac{1 + s(k-1)}{1 + p(k-1)}, \quad R_t^k = (R_{t-1}^k + 1)\, e, \quad
              M_t = \tfrac18 \sum_{k \in \{1.5, 2.3, 4.5, 11\}^{\pm1}} R_t^k .

    With one observation a run, *e* is the Bernoulli likelihood ratio; with more it is the mean of theirs, an e-value
    whatever their dependence. Alarm at :math:`M_t \ge A`.

    References
    ----------
    Shin, Ramdas, Rinaldo (2022), E-detectors, section 4. Krichevsky, Trofimov (1981), The performance of universal
    encoding.
    """

    LAYOUT: ClassVar[Layout] = rate.LAYOUT
    DETECTOR: ClassVar[str] = "BernoulliShiryaevRoberts"

    def observe(self, rows: pl.DataFrame) -> list[tuple[int, int]]:
        """Feed rows in order; give (slot, index in rows) per alarm."""
        alarm_slots, alarm_rows = rate.observe_rate(
            self.table,
            self.ring,
            column(rows, "slot"),
            column(rows, "value"),
            column(rows, "run"),
            column(rows, "at"),
            column(rows, "log_threshold"),
            self.warm_up,
        )
        return list(zip(alarm_slots.tolist(), alarm_rows.tolist(), strict=True))


@dataclass(slots=True)
class MixBank(Bank):
    r"""Changes of a mix of categories, with a bucket for what the warm-up never saw.

    The unit is the run with its shares :math:`s_c`. Against the predictive Dirichlet mean *p* of the reference stands
    an alternative estimated from what came before, over exponential windows of 12, 48 and 192 runs (:math:`q^j`):

    .. math:: e^j = 0.15 + 0.85 \sum_c s_c\, q_c^j / p_c, \quad R_t^j = (R_{t-1}^j + 1)\, e^j, \quad
              M_t = \tfrac13 \sum_j R_t^j ,

    the Shiryaev-Roberts form of the window-limited CUSUM with estimated post-change parameters; :math:`e^j` is linear
    in the shares, so the dependence within a run does no harm. Alarm at :math:`M_t \ge A`.

    References
    ----------
    Xie, Moustakides, Xie (2023), Window-limited CUSUM for sequential change detection, eq. 9-10. Shin, Ramdas, Rinaldo
    (2022), E-detectors. Good (1953), The population frequencies of species.
    """

    LAYOUT: ClassVar[Layout] = mix.LAYOUT
    DETECTOR: ClassVar[str] = "WindowLimitedCusum"

    categories: Categories = field(default_factory=Categories)
    found: list[tuple[int, int, str]] = field(default_factory=list[tuple[int, int, str]])

    def observe(self, rows: pl.DataFrame) -> list[tuple[int, int]]:
        """Feed rows in order; give (slot, index in rows) per alarm."""
        self.categories.ensure(self.streams)
        codes = self.categories.encode(rows, self.arrays["phase"])
        alarm_slots, alarm_rows = mix.observe_mix(
            self.table,
            self.ring,
            column(rows, "slot"),
            codes,
            column(rows, "run"),
            column(rows, "at"),
            column(rows, "log_threshold"),
            self.warm_up,
        )
        self.found = self.categories.settle(self.arrays["phase"], self.arrays["bucket"])
        return list(zip(alarm_slots.tolist(), alarm_rows.tolist(), strict=True))

    def rearm(self, slot: int, *, relearn: bool) -> None:
        """Watch an alarmed stream again; the windows start from the reference."""
        Bank.rearm(self, slot, relearn=relearn)
        weights = self.arrays["weights"][slot]
        if relearn:
            self.categories.ensure(self.streams)
            self.categories.forget(slot)
        elif weights.sum() > 0:
            self.arrays["window"][slot] = weights / weights.sum()

    def bucket_names(self, slot: int) -> list[str]:
        """Name the buckets: ``new``, ``other``, then the category or categories that each holds."""
        names: list[list[str]] = [[] for _ in range(mix.BUCKETS)]
        for code, name in enumerate(self.categories.names[slot]):
            names[int(self.arrays["bucket"][slot, code])].append(name)
        labels = [
            held[0] if len(held) == 1 else f"{held[0]} and {len(held) - 1} more" if held else "" for held in names
        ]
        labels[mix.NEW], labels[mix.OTHER] = "new", "other"
        return labels

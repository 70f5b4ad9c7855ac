"""Banks of detectors: one per kind of stream, each a table of records and the kernel that walks it.

A bank takes the accepted observations of its kind in order and gives back which stream alarmed at which row; the
`detectors.monitor` turns that into signals. Thresholds come from `detectors.kernels.budget`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from detectors.bank import Bank
from detectors.categories import Categories
from detectors.earlier import mixes
from detectors.kernels import continuous, mix, rate
from detectors.kernels.continuous_state import LAYOUT, SEASON_LAYOUT
from detectors.kernels.mix_state import LAYOUT as MIX_LAYOUT
from detectors.state import Arrays, Layout, as_records, column, records, resized

#: A warm-up that lasts a day keeps so many times its length of values.
ROOM = 2


@dataclass(slots=True)
class ContinuousBank(Bank):
    r"""Shifts of heavy-tailed, tied or autocorrelated values, upwards and downwards.

    The warm-up cuts the line into cells, one of them below and one above all that it saw. With their weights (spacings of
    the warm-up plus later counts) a value in cell *k* has ranks between the cumulative shares :math:`W_{k-1}` and
    :math:`W_k` of the weights before it, and the score
    :math:`z = \frac{1}{W_k - W_{k-1}} \int_{W_{k-1}}^{W_k} \mathrm{clip}(\Phi^{-1}(u), \pm 3)\,du`. Its bounds are those
    of a normal value, given the score before it: :math:`b_k = (\Phi^{-1}(W_k) - \rho z_{t-1})/\sqrt{1-\rho^2}` with
    :math:`\rho = (\hat\rho - (1 - \hat\rho^2)/(n \hat\rho))_+`, von Neumann's :math:`\hat\rho` less what chance gives. How much
    likelier a shift :math:`\delta` makes the cell feeds the e-detector

    .. math:: e_t^{\delta} = \frac{\Phi(b_k - \delta) - \Phi(b_{k-1} - \delta)}{\Phi(b_k) - \Phi(b_{k-1})}, \quad
              R_t^{\delta} = (R_{t-1}^{\delta} + w_\delta)\, e_t^{\delta}, \quad
              M_t = \sum_{\delta \in \pm\{0.2, 0.47, 1.03, 2.19\}} R_t^{\delta}

    with :math:`w_\delta \propto 1 / |\delta|`, summing to 1: a nat of evidence costs :math:`2 / \delta^2` observations, so
    what small shifts gain by their weight are tens, and what large ones lose is one.

    For exchangeable data the weights are Pólya's urn, so :math:`E e = 1` holds while the reference is still being learned,
    with ties too, and :math:`E M_t \le t`: the average run to :math:`M_t \ge A` is at least *A*. It is longer, because
    *M* jumps over *A* instead of meeting it (Pollak 1987); so the alarm comes at :math:`\ln M_t + 0.18 (1 - \rho) \ge \ln A`,
    which by simulation keeps *A*.

    Above :math:`\rho = 0.1` the cell before says too little of the next, and the whitened score
    :math:`w = (z_t - \rho z_{t-1})/\sqrt{1-\rho^2}` itself gives :math:`e = \exp(\delta w - \psi(\delta))`, :math:`\psi`
    the log-mgf of the clipped normal: by Jensen's inequality at most 1 in the mean.

    A stream with a season goes another way to the whitening. Its scores are those of the warm-up's cells and lose the mean
    :math:`\bar y_b` of the *v* earlier visits of their hour (24 of a weekday, 24 of a day of the weekend, UTC):

    .. math:: r_t = (y_t - \bar y_b) / (\sigma_b \sigma_r), \quad
              z_t = \mathrm{clip}\left(\frac{r_t - \rho r_{t-1}}{\sqrt{(1 - \rho^2)(1 + 1/v)}}, \pm 3\right)

    and :math:`e = \exp(\delta z - \psi(\delta))`: a recursive residual, in which the scores of an hour share the error of its
    mean and so count it in full. How well hours foretell their next visit is a *t* statistic. Until 24 visits every stream
    goes this way, then those with *t* above 1; after eight days those below it are taken to have no season, after four weeks
    those below 3. A warm-up lasts a day at least, and the first Saturday is only learned. Validated by simulation
    (docs/drift.md).

    References
    ----------
    Breiman (1995), Better subset regression using the nonnegative garrote (what chance gives).
    Brown, Durbin, Evans (1975), Techniques for testing the constancy of regression relationships over time (recursive
    residuals).
    Pollak (1987), Average run lengths of an optimal method of detecting a change in distribution (the overshoot).
    Shin, Ramdas, Rinaldo (2022), E-detectors: a nonparametric framework for sequential change detection, eq. 8-11.
    von Neumann (1941), Distribution of the ratio of the mean square successive difference to the variance.
    """

    LAYOUT: ClassVar[Layout] = LAYOUT
    DETECTOR: ClassVar[str] = "ShiryaevRoberts"
    NUMBERED: ClassVar[tuple[str, ...]] = ("buffer_row", "season_row")

    first_day: int = continuous.DAY  # microseconds that a warm-up lasts at least
    pool: NDArray[np.float64] = field(init=False)  # (rows, 2, ROOM x warm_up): streams in warm-up, samples and times
    free: list[int] = field(init=False)
    seasons: Any = field(init=False)  # records of streams that have a season, or may have one
    free_seasons: list[int] = field(init=False)

    def __post_init__(self) -> None:
        Bank.__post_init__(self)
        self.pool, self.free = np.zeros((0, 2, ROOM * self.warm_up)), []
        self.seasons, self.free_seasons = records(SEASON_LAYOUT, 0), []

    def reference_n(self) -> NDArray[np.int64]:
        """Observations in the reference, per stream."""
        return self.arrays["reference_n"][: self.streams]

    def observe(self, rows: pl.DataFrame) -> list[tuple[int, int]]:
        """Feed rows in order; give (slot, index in rows) per alarm."""
        slots = column(rows, "slot")
        self._lend(slots)
        alarm_slots, alarm_rows = continuous.observe_continuous(
            self.table,
            self.seasons,
            self.pool,
            self.ring,
            slots,
            column(rows, "value"),
            column(rows, "at"),
            column(rows, "log_threshold"),
            self.warm_up,
            self.first_day,
        )
        self._give_back(slots)
        return list(zip(alarm_slots.tolist(), alarm_rows.tolist(), strict=True))

    def _lend(self, slots: NDArray[np.int64]) -> None:
        """Give each stream in warm-up that holds none a row of the pool and a season (holding one = row + 1, 0 is none)."""
        held, phase, season = self.arrays["buffer_row"], self.arrays["phase"], self.arrays["season"]
        needy = np.unique(slots[(phase[slots] == continuous.WARMING) & (held[slots] == 0)])
        if len(needy) > len(self.free):
            old, more = len(self.pool), max(len(needy) - len(self.free), len(self.pool))
            self.pool = resized({"pool": self.pool}, old + more)["pool"]
            self.free.extend(range(old + more - 1, old - 1, -1))
        if len(needy) > len(self.free_seasons):
            old, more = len(self.seasons), max(len(needy) - len(self.free_seasons), len(self.seasons))
            known, self.seasons = self.seasons, records(SEASON_LAYOUT, old + more)
            self.seasons[:old] = known
            self.free_seasons.extend(range(old + more - 1, old - 1, -1))
        for slot in needy.tolist():
            held[slot] = self.free.pop() + 1
            row = self.free_seasons.pop()
            self.seasons[row] = np.zeros((), self.seasons.dtype)
            self.arrays["season_row"][slot] = row + 1
            season[slot] = continuous.ON_TRIAL

    def _give_back(self, slots: NDArray[np.int64]) -> None:
        held, phase = self.arrays["buffer_row"], self.arrays["phase"]
        for slot in np.unique(slots[(phase[slots] != continuous.WARMING) & (held[slots] > 0)]).tolist():
            self.free.append(int(held[slot]) - 1)
            held[slot] = 0
        held, season = self.arrays["season_row"], self.arrays["season"]
        for slot in np.unique(slots[(season[slots] == continuous.WITHOUT_SEASON) & (held[slots] > 0)]).tolist():
            self.free_seasons.append(int(held[slot]) - 1)
            held[slot] = 0

    def rearm(self, slot: int, *, relearn: bool) -> None:
        """Watch an alarmed stream again; the rows that it holds go back where it learns anew."""
        for name, free in (("buffer_row", self.free), ("season_row", self.free_seasons)):
            held = int(self.arrays[name][slot])
            if held > 0 and relearn:
                free.append(held - 1)
        Bank.rearm(self, slot, relearn=relearn)

    def snapshot(self) -> Arrays:
        """Give the state; pool and seasons in the order of their streams, filled part only."""
        arrays = Bank.snapshot(self)
        held = self.arrays["buffer_row"][: self.streams]
        holders = np.flatnonzero(held)
        arrays["buffer_row"] = _numbered(held)
        rows = [self.pool[held[slot] - 1] for slot in holders.tolist()]
        parts = [row[:, :n].ravel() for row, n in zip(rows, self._kept(holders), strict=True)]
        arrays["pool"] = np.concatenate(parts) if parts else np.zeros(0)
        held = self.arrays["season_row"][: self.streams]
        arrays["season_row"] = _numbered(held)
        arrays["seasons"] = np.asarray(self.seasons)[held[np.flatnonzero(held)] - 1]
        return arrays

    def restore(self, arrays: Arrays) -> None:
        """Take over what `snapshot` gave."""
        Bank.restore(self, arrays)
        for name in self.NUMBERED:
            self.arrays[name][:] = arrays[name]
        holders = np.flatnonzero(self.arrays["buffer_row"])
        self.pool, self.free = np.zeros((len(holders), 2, ROOM * self.warm_up)), []
        at = 0
        for row, n in enumerate(self._kept(holders)):
            self.pool[row, :, :n] = arrays["pool"][at : at + 2 * n].reshape(2, n)
            at += 2 * n
        self.seasons, self.free_seasons = as_records(SEASON_LAYOUT, arrays["seasons"]), []

    def _kept(self, slots: NDArray[np.int64]) -> list[int]:
        """How many values the pool keeps of each of these streams in warm-up."""
        seen, stride = self.arrays["reference_n"][slots], self.arrays["stride"][slots]
        return [int((n - 1) // step + 1) if n else 0 for n, step in zip(seen.tolist(), stride.tolist(), strict=True)]


def _numbered(held: NDArray[np.int32]) -> NDArray[np.int32]:
    """Rows numbered from 1 in the order of the streams that hold one."""
    return np.where(held > 0, np.cumsum(held > 0), 0).astype(held.dtype)


@dataclass(slots=True)
class RateBank(Bank):
    r"""Changes of a share of yes among yes/no observations, upwards and downwards.

    Observations of one run depend on each other, so the unit is the run, with its share *s* of yes. Against the
    predictive :math:`p = (\sum s + \frac12)/(n + 1)` (Krichevsky-Trofimov), odds times *k* give the e-value

    .. math:: e = \frac{1 + s(k-1)}{1 + p(k-1)}, \quad
              R_t^k = \left(R_{t-1}^k + 1 \pm \tfrac34 (1 - 2p)\right) e, \quad
              M_t = \tfrac18 \sum_{k \in \{1.5, 2.3, 4.5, 11\}^{\pm1}} w_k R_t^k , \quad w = (1, 1.2, 1.2, 0.6),

    plus for odds that rise: a rare event that becomes frequent gets up to seven times the weight of one that becomes rarer
    still, of which there is little to be seen and which is seldom bad news. The weight is known before the run, so that
    :math:`E M_t \le t` still holds. With one observation a run, *e* is the Bernoulli likelihood ratio; with more it is the
    mean of theirs, an e-value whatever their dependence. Evidence of rare events comes in jumps, which land above *A*; alarm at
    :math:`\ln M_t + 0.1 + 0.45\,(1 - 2p)^8 \ge \ln A`, which by simulation keeps *A*.

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

    The unit is the run with its shares :math:`s_c`. With *p* the predictive Dirichlet mean of the reference (of total
    weight *W*) and :math:`N^k` the sum of the shares of the *n* runs since a change point *k*, the categories have moved by
    :math:`d = N^k / n - p`. As the reference has seen those runs too, they tell as much as :math:`h = n (1 - n / W)` runs
    against a known mix. What comes next is foretold under four expectations of a change, each with *m* runs' worth of the
    reference as its prior: of a move of all categories, far, less or little (*m* = 14, 50, 180), and of a move of few
    (*m* = 25), where a category counts as moved only beyond what chance gives (:math:`h d_c^2 / p_c > 1`):

    .. math:: q_c^{k,m} = p_c + \frac{h}{h + m} d_c, \quad
              q_c^{k,few} \propto p_c + \frac{h}{h + m} d_c \left(1 - \frac{p_c}{h d_c^2}\right)_+

    .. math:: e_i^{k,j} = \sum_c s_c \frac{q_c^{k,j}}{p_c}, \quad R_t^j = \sum_k \prod_{i > k} e_i^{k,j}

    the Shiryaev-Roberts form of the likelihood ratio with estimated parameters. Change points are kept in six groups,
    coarser with age, that share their :math:`N^k` and *n*; any choice made of the past leaves an e-value. It is linear in
    the shares, so the dependence within a run does no harm. That one category alone moved, at the expense or in favour of
    all others, needs no estimate: its odds became *o* times what they were,

    .. math:: S_t^{c,o} = (S_{t-1}^{c,o} + 1) \frac{1 + s_c (o - 1)}{1 + p_c (o - 1)}, \quad
              M_t = \sum_j w_j R_t^j + \frac{0.1}{d} \sum_{c,\, o \in \{2.2, 5, 1/4\}} S_t^{c,o}

    with :math:`w = (0.14, 0.175, 0.21, 0.175)` and *d* categories. Alarm at :math:`\ln M_t + 0.15 \ge \ln A` (*M* jumps over
    *A*; by simulation that much keeps *A*) where the generalised likelihood
    ratio (GLR) of two multinomials against one, at some change point, exceeds half of :math:`\ln A` beyond the
    :math:`(d - 1)/2` that *d* categories give by chance: a stream that never varies would sum its way to *A* in time.
    The onset comes from trackers over exponential windows of 12, 48 and 192 runs. Validated by simulation (docs/drift.md).

    References
    ----------
    Lai (1998), Information bounds and quick detection of parameter changes in stochastic systems. Xie, Moustakides, Xie
    (2023), Window-limited CUSUM for sequential change detection, eq. 9-10 (estimates of the past as the law after a change,
    and the trackers). Breiman (1995), Better subset regression using the nonnegative garrote (few that move). Shin, Ramdas,
    Rinaldo (2022), E-detectors. Good (1953), The population frequencies of species. Wilks (1938), The large-sample
    distribution of the likelihood ratio.
    """

    LAYOUT: ClassVar[Layout] = MIX_LAYOUT
    DETECTOR: ClassVar[str] = "DirichletShiryaevRoberts"

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

    def restore(self, arrays: Arrays) -> None:
        """Take over what `snapshot` gave, of an earlier version too."""
        Bank.restore(self, arrays | {"table": mixes(arrays["table"])})

    def rearm(self, slot: int, *, relearn: bool) -> None:
        """Watch an alarmed stream again; the windows start from the reference."""
        Bank.rearm(self, slot, relearn=relearn)
        weights = self.arrays["weights"][slot]
        if relearn:
            self.categories.ensure(self.streams)
            self.categories.forget(slot)
        elif weights.sum() > 0:
            self.arrays["window"][slot] = (weights / weights.sum())[:, None]

    def retire(self, slot: int) -> None:
        """Forget all about a stream, its categories too."""
        Bank.retire(self, slot)
        self.categories.forget(slot)

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

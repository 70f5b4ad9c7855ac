"""The facade: observations in, signals out, state to and from bytes.

Stands after stage `observe` and before the alerts. It looks at nothing but the frames it is given: no clock, no file,
no random number. So the same observations in the same order give the same signals, however they are cut into calls.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from detectors.bank import Bank
from detectors.banks import ContinuousBank, MixBank, RateBank
from detectors.categories import Categories
from detectors.errors import ObservationError, StateError
from detectors.evidence import signal_of
from detectors.kernels.budget import LAYOUT as BUDGET_LAYOUT
from detectors.kernels.budget import BudgetState, fleet_log_thresholds
from detectors.packed import decode, encode
from detectors.readiness import STATES, Retired, numbers, packed, readiness, retired_of, unpacked
from detectors.registry import KEYS, KINDS, Registry
from detectors.settings import MonitorSettings
from detectors.spikes import SHARE, SpikeBank, spike_signal
from detectors.state import Arrays, blank, column

OBSERVATION_COLUMNS = ("at", *KEYS, "value", "category", "run_id")
SIGNAL_SCHEMA: dict[str, pl.DataType] = {
    **dict.fromkeys(("workflow", "family", "metric", "dimension", "kind", "detector"), pl.String()),
    **dict.fromkeys(("at", "onset_at", "onset_low_at", "onset_high_at"), pl.Datetime("us")),
    **dict.fromkeys(("log_e", "threshold", "before_value", "after_value", "effect"), pl.Float64()),
    "unit": pl.String(),
    **dict.fromkeys(("n_before", "n_after"), pl.Int64()),
    **dict.fromkeys(("detail", "headline"), pl.String()),
}
STREAM_SCHEMA: dict[str, pl.DataType] = {
    **dict.fromkeys((*KEYS, "state"), pl.String()),
    **dict.fromkeys(("observations", "ignored"), pl.Int64()),
    **dict.fromkeys(("reference_value", "current_value", "log_e", "threshold"), pl.Float64()),
}
NEEDED = {"continuous": ("value",), "rate": ("value", "run"), "mix": ("category", "run")}  # by the banks, of a row
LARGEST = 1e30  # magnitude at which values are cut: sums of them stay finite, in single precision too


class Monitor:
    """Watches every stream of the fleet and raises a signal when one has drifted.

    Parameters
    ----------
    settings : MonitorSettings, optional

    Examples
    --------
    >>> monitor = Monitor()
    >>> monitor.streams().height
    0
    """

    def __init__(self, settings: MonitorSettings | None = None) -> None:
        self.settings = settings or MonitorSettings()
        opinion = self.settings.second_opinion
        self._registry = Registry()
        self._budget: Arrays = blank(BUDGET_LAYOUT, 1)
        self._retired_at = 0  # completed days at the last look for quiet streams
        self._retired: Retired = Retired()
        self._banks: dict[str, Bank] = {
            "continuous": ContinuousBank(self.settings.warm_up_continuous, opinion),
            "rate": RateBank(self.settings.warm_up_rate, opinion),
            "mix": MixBank(self.settings.warm_up_mix, opinion),
        }
        self._spikes = SpikeBank(self.settings.warm_up_continuous)

    def update(self, observations: pl.DataFrame) -> pl.DataFrame:
        """Take `observations` in their order and give the signals they raise, in that order too.

        Parameters
        ----------
        observations : pl.DataFrame
            at Datetime, workflow, family, metric, dimension String, kind 'continuous' | 'rate' | 'mix', value Float64
            (rate: 0 or 1; mix: null), category String (mix), run_id String. A row that can't be used (no time, no finite
            value, a rate other than 0 or 1, no category) is counted as ignored with its stream.

        Returns
        -------
        pl.DataFrame
            Columns of `SIGNAL_SCHEMA`. At most one drift per stream, which then stays alarmed until `rearm`; each spike
            (kind 'spike') of a continuous stream is a row of its own and leaves the stream as it is.

        Raises
        ------
        ObservationError
            A column is missing or has another type.
        """
        rows = self._accept(observations)
        signals: list[tuple[int, dict[str, Any]]] = []
        # Where a day of the fleet completes, streams may retire: whoever comes after that may have their places.
        days = [rows] if rows["completed"].n_unique() == 1 else rows.partition_by("completed", maintain_order=True)
        for day in days:
            self._retire(int(day["completed"][0]))
            signals += self._watch(self._placed(day))
        signals.sort(key=lambda pair: pair[0])
        return pl.DataFrame([signal for _, signal in signals], schema=SIGNAL_SCHEMA)

    def _watch(self, rows: dict[str, pl.DataFrame]) -> list[tuple[int, dict[str, Any]]]:
        """Feed the banks, and give the signals with the number of the row that raised them."""
        signals: list[tuple[int, dict[str, Any]]] = []
        for kind, bank in self._banks.items():
            mine = rows[kind]
            if mine.height == 0:
                continue
            row_numbers = mine["row"]
            for slot, index in bank.observe(mine):
                row = int(row_numbers[index])
                key = self._registry.keys[kind][slot]
                assert key is not None
                new = self._new_names(bank, slot, row)
                signals.append(
                    (row, signal_of(bank, slot, key, kind, new, second_opinion=self.settings.second_opinion))
                )
            if kind == "continuous":
                signals += self._spiked(mine)
        return signals

    def _spiked(self, rows: pl.DataFrame) -> list[tuple[int, dict[str, Any]]]:
        signals: list[tuple[int, dict[str, Any]]] = []
        for slot, index, told in self._spikes.observe(rows):
            key = self._registry.keys["continuous"][slot]
            assert key is not None
            row, at, value = rows.select("row", "at", "value").row(index)
            signals.append((row, spike_signal(key, at, value, told)))
        return signals

    def _accept(self, observations: pl.DataFrame) -> pl.DataFrame:
        """Number the rows, say which can be used, and give each threshold and how many days of the fleet had completed."""
        missing = [name for name in OBSERVATION_COLUMNS if name not in observations.columns]
        if missing:
            raise ObservationError("observations lack columns", ", ".join(missing), "see OBSERVATION_COLUMNS")
        try:
            rows = observations.select(
                pl.col("at").cast(pl.Datetime("us")).cast(pl.Int64),
                *(pl.col(name).cast(pl.String).fill_null("") for name in KEYS),
                pl.col("value").cast(pl.Float64),
                pl.col("category").cast(pl.String),
                pl.when(pl.col("kind") != "continuous")  # nothing asks for the others' runs
                .then(pl.col("run_id").cast(pl.String))
                .map_batches(run_numbers, return_dtype=pl.UInt64)
                .alias("run"),
            )
        except pl.exceptions.PolarsError as error:
            raise ObservationError("observations have a column of another type", str(error)) from error
        known = rows["kind"].is_in(KINDS)
        if not known.all():
            kind = rows["kind"].filter(~known)[0]
            raise ObservationError("unknown kind of stream", repr(kind), "use " + ", ".join(KINDS))
        value = pl.col("value")
        usable = pl.col("at").is_not_null() & (
            pl.when(pl.col("kind") == "mix")
            .then(pl.col("category").is_not_null())
            .when(pl.col("kind") == "rate")
            .then(value.is_in([0.0, 1.0]))
            .otherwise(value.is_finite())
        ).fill_null(False)
        rows = rows.with_row_index("row").with_columns(usable.alias("usable"), value.clip(-LARGEST, LARGEST))
        before = int(self._budget["completed"][0])
        counted = rows.filter("usable")
        thresholds, completed = fleet_log_thresholds(
            BudgetState(**self._budget),
            column(counted.select(pl.col("at") // 86_400_000_000), "at"),
            self.settings.alarm_budget_per_week * (1 - SHARE),
            self.settings.observations_per_week_at_start,
        )
        told = (pl.Series("log_threshold", thresholds), pl.Series("completed", completed))
        if len(counted) == len(rows):
            return rows.with_columns(told)
        known = counted.select("row").with_columns(told)
        return rows.join(known, on="row", how="left", maintain_order="left").with_columns(
            pl.col("completed").forward_fill().fill_null(before)
        )

    def _retire(self, completed: int) -> None:
        """Forget the streams that have been quiet for so long, once for each day that completes."""
        if completed == self._retired_at:
            return
        self._retired_at = completed
        gone = Retired()
        for kind, bank in self._banks.items():
            keys = self._registry.keys[kind]
            quiet = [
                slot for slot in bank.quiet_since(completed - self.settings.retire_after_days) if keys[slot] is not None
            ]
            if not quiet:
                continue
            gone.update(key[:3] for slot in quiet if (key := keys[slot]) is not None)
            self._registry.retire(kind, quiet)
            for slot in quiet:
                bank.retire(slot)
                if kind == "continuous":
                    self._spikes.forget(slot)
        if gone:
            self._retired = retired_of(self._registry.known, self._retired + gone)

    def _placed(self, rows: pl.DataFrame) -> dict[str, pl.DataFrame]:
        """Give the rows of each kind with their stream's place; those that can't be used are counted and left out."""
        rows = self._registry.assign(rows)
        placed: dict[str, pl.DataFrame] = {}
        for kind, bank in self._banks.items():
            bank.ensure(len(self._registry.keys[kind]))
            if kind == "continuous":
                self._spikes.ensure(len(self._registry.keys[kind]))
            mine = rows.select("row", "slot", "at", *NEEDED[kind], "log_threshold", "usable").filter(
                rows["kind"] == kind
            )
            bank.seen[mine["slot"].to_numpy()] = rows["completed"][0]
            if not mine["usable"].all():
                np.add.at(bank.ignored, mine.filter(~pl.col("usable"))["slot"].to_numpy(), 1)
                mine = mine.filter("usable")
            placed[kind] = mine
        return placed

    @staticmethod
    def _new_names(bank: Bank, slot: int, row: int) -> list[str]:
        """New categories of a mix up to `row`, so that the evidence does not depend on where the batch ends."""
        if not isinstance(bank, MixBank):
            return []
        later = {name for at, where, name in bank.found if where == slot and at > row}
        return [name for name in bank.categories.new_names[slot] if name not in later]

    def rearm(
        self,
        workflow: str | None = None,
        family: str | None = None,
        metric: str | None = None,
        dimension: str | None = None,
        *,
        relearn: bool,
    ) -> int:
        """Watch the alarmed streams that match again, and give their number; None matches all.

        Parameters
        ----------
        relearn : bool
            True: the drift was real and is the new normal, learn a new reference. False: it was none, or it was undone;
            keep the reference.
        """
        count = 0
        wanted = (workflow, family, metric, dimension)
        for kind, bank in self._banks.items():
            for slot in np.flatnonzero(bank.arrays["phase"][: bank.streams] == 2).tolist():
                key = self._registry.keys[kind][slot]
                if key is not None and all(
                    want is None or want == have for want, have in zip(wanted, key, strict=True)
                ):
                    bank.rearm(slot, relearn=relearn)
                    if relearn and kind == "continuous":
                        self._spikes.forget(slot)
                    count += 1
        return count

    def streams(self) -> pl.DataFrame:
        """Give one row per stream: key, state, counts, reference and current value, statistic against threshold.

        For a mix the current value is the total variation between the last 50 runs or so and the reference.
        """
        frames = [self._describe(kind, bank) for kind, bank in self._banks.items()]
        return pl.concat(frames).select(STREAM_SCHEMA.keys()).sort(KEYS)

    def readiness(self) -> pl.DataFrame:
        """Give per workflow, family and metric how many streams are in which state; columns of `READINESS_SCHEMA`."""
        return readiness(self._registry.known, self._banks, self.settings.minimum_data, self._retired)

    def _describe(self, kind: str, bank: Bank) -> pl.DataFrame:
        count = bank.streams
        state = {name: array[:count] for name, array in bank.arrays.items()}
        with np.errstate(divide="ignore", invalid="ignore"):
            if isinstance(bank, MixBank):
                reference = np.zeros(count)
                before = state["weights"] / state["weights"].sum(axis=1, keepdims=True)
                current = 0.5 * np.abs(state["window"][:, :, 1] - before).sum(axis=1)
                reference[state["phase"] == 0] = np.nan
            else:
                reference = state["reference_sum"] / state["reference_n"]
                current = np.where(state["observations"] > 0, state["recent"], np.nan)
        watched = (state["phase"] > 0) & (state["threshold"] > 0)
        registered = self._registry.keys[kind]
        blank_key = ("", "", "", "")  # of a place whose stream was retired
        keys = pl.DataFrame(
            [key or blank_key for key in registered], schema=dict.fromkeys(KEYS[:4], pl.String), orient="row"
        )
        described = keys.with_columns(
            pl.lit(kind).alias("kind"),
            pl.Series("state", STATES[numbers(bank, self.settings.minimum_data)].tolist(), dtype=pl.String),
            pl.Series("observations", state["observations"].copy()),
            pl.Series("ignored", bank.ignored[:count].copy()),
            pl.Series("reference_value", _nulls(reference), dtype=pl.Float64),
            pl.Series("current_value", _nulls(current), dtype=pl.Float64),
            pl.Series("log_e", _nulls(np.where(watched, state["log_e"], np.nan)), dtype=pl.Float64),
            pl.Series("threshold", _nulls(np.where(watched, state["threshold"], np.nan)), dtype=pl.Float64),
        )
        return described.filter(pl.Series([key is not None for key in registered], dtype=pl.Boolean))

    def _sums(self) -> NDArray[np.float64]:
        """Sums of the numbers in each reference."""
        bank = self._banks["continuous"]
        return bank.arrays["reference_sum"][: bank.streams]

    def encode(self) -> bytes:
        """Give the whole state as versioned bytes; the same state gives the same bytes."""
        mixes = self._banks["mix"]
        assert isinstance(mixes, MixBank)
        mixes.categories.ensure(mixes.streams)
        keys, places = self._registry.pack()
        names, counts = mixes.categories.pack()
        warm_up = {kind: bank.warm_up for kind, bank in self._banks.items()}
        header = {"warm_up": warm_up, "keys": keys, "names": names, "retired": packed(self._retired)}
        arrays = {f"budget.{name}": array for name, array in self._budget.items()}
        arrays.update({f"key.{name}": array for name, array in places.items()})
        arrays.update({f"name.{name}": array for name, array in counts.items()})
        for kind, bank in self._banks.items():
            arrays.update({f"{kind}.{name}": array for name, array in bank.snapshot().items()})
        arrays.update({f"spike.{name}": array for name, array in self._spikes.snapshot(self._sums()).items()})
        return encode(header, arrays)

    @classmethod
    def decode(cls, data: bytes, settings: MonitorSettings | None = None) -> Monitor:
        """Give the monitor that `encode` saw; alarm budget and second opinion may differ, warm-ups may not.

        Raises
        ------
        StateError
            Not a state, of another version, or learned with other warm-up lengths.
        """
        header, arrays = decode(data)
        monitor = cls(settings)
        try:
            for kind, bank in monitor._banks.items():
                if header["warm_up"][kind] != bank.warm_up:
                    raise StateError(
                        f"the state was learned with a warm-up of {header['warm_up'][kind]}, the settings say "
                        f"{bank.warm_up}",
                        f"{kind} streams",
                        "restore the setting, or remove this checkpoint to learn anew",
                    )
                bank.restore(_part(arrays, kind))
                if isinstance(bank, MixBank):
                    bank.categories = Categories.unpack(header["names"], _part(arrays, "name"))
            monitor._spikes.restore(_part(arrays, "spike"), monitor._sums())
            monitor._budget = {name: arrays[f"budget.{name}"] for name in BUDGET_LAYOUT}
            monitor._retired_at = int(monitor._budget["completed"][0])
            monitor._retired = unpacked(header.get("retired", []))
            room = {kind: bank.streams for kind, bank in monitor._banks.items()}
            monitor._registry = Registry.unpack(header["keys"], _part(arrays, "key"), room)
        except (KeyError, IndexError) as error:
            raise StateError("incomplete detector state", str(error), "remove this checkpoint to learn anew") from error
        return monitor


def _part(arrays: Arrays, prefix: str) -> Arrays:
    """Those of `arrays` whose name begins with `prefix`, by the rest of it."""
    return {name.removeprefix(f"{prefix}."): array for name, array in arrays.items() if name.startswith(f"{prefix}.")}


def run_numbers(run_ids: pl.Series) -> pl.Series:
    """Give each run id the number by which the state knows it: the same on every machine and in every version; 0 for null.

    Parameters
    ----------
    run_ids : (n,) String

    Returns
    -------
    (n,) UInt64

    Examples
    --------
    >>> run_numbers(pl.Series(["r1", None, "r1"])).to_list()
    [3512079124192222595, 0, 3512079124192222595]
    """
    begins = run_ids.ne_missing(run_ids.shift(1))  # a run's observations mostly come together
    firsts = run_ids.filter(begins)
    known = firsts.unique(maintain_order=True).drop_nulls()
    # 0 stands for an unknown run, so no run may have it.
    numbers = [int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little") or 1 for name in known]
    numbered = pl.DataFrame({"run_id": known, "run": pl.Series(numbers, dtype=pl.UInt64)})
    found = firsts.to_frame("run_id").join(numbered, on="run_id", how="left", maintain_order="left")
    unknown_first = pl.Series("run", [0], dtype=pl.UInt64)  # nothing begins where the first is unknown
    return pl.concat([unknown_first, found["run"].fill_null(0)]).gather(begins.cum_sum())


def _nulls(values: np.ndarray[Any, np.dtype[np.float64]]) -> list[float | None]:
    """Python floats with null for what is not finite."""
    return [float(value) if np.isfinite(value) else None for value in values]

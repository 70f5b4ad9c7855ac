"""How far the streams are: how many of each workflow and metric are watched, and how many can't be yet.

Counted from the banks' arrays as they are, so it depends on nothing but what the monitor has been given.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

if TYPE_CHECKING:
    from detectors.bank import Bank

#: States of a stream, by `numbers`.
STATES = np.array(["warming_up", "watching", "alarmed", "needs_data"])
_KEYS = ("workflow", "family", "metric")
READINESS_SCHEMA: dict[str, pl.DataType] = {
    **dict.fromkeys(_KEYS, pl.String()),
    **dict.fromkeys(("needs_data", "warming_up", "watching", "alarmed", "retired"), pl.Int64()),
}

#: Streams that were retired, by workflow, family and metric.
Retired = Counter[tuple[str, str, str]]


def numbers(bank: Bank, minimum_data: int) -> NDArray[np.int64]:
    """Give the state of each stream of a bank, (n_streams,) int64: its place in `STATES`."""
    phase = bank.arrays["phase"][: bank.streams]
    few = (phase == 0) & (bank.reference_n() < minimum_data)
    return np.where(few, 3, phase)


def readiness(known: pl.DataFrame, banks: Mapping[str, Bank], minimum_data: int, retired: Retired) -> pl.DataFrame:
    """Give one row per workflow, family and metric with a stream, or with one that was retired, sorted by these.

    Parameters
    ----------
    known : pl.DataFrame
        workflow, family, metric, kind, slot of every stream.
    banks : mapping of str to Bank
        By kind.
    minimum_data : int
        Below so many units a stream needs data.
    retired : Counter

    Returns
    -------
    pl.DataFrame
        Columns of `READINESS_SCHEMA`: numbers of streams; a metric has one for each of its dimensions.
    """
    parts = [
        mine.select(_KEYS).with_columns(
            pl.Series("state", STATES[numbers(bank, minimum_data)[mine["slot"].to_numpy()]])
        )
        for kind, bank in banks.items()
        if (mine := known.filter(pl.col("kind") == kind)).height
    ]
    gone = pl.DataFrame(
        [(*key, count) for key, count in retired.items()],
        schema={**dict.fromkeys(_KEYS, pl.String), "retired": pl.Int64},
        orient="row",
    )
    living = pl.concat(parts) if parts else pl.DataFrame(schema=dict.fromkeys((*_KEYS, "state"), pl.String))
    counted = living.group_by(_KEYS).agg(
        (pl.col("state") == name).sum().cast(pl.Int64).alias(name) for name in STATES.tolist()
    )
    joined = counted.join(gone, on=_KEYS, how="full", coalesce=True)
    filled = joined.with_columns(pl.exclude(_KEYS).fill_null(0))
    return filled.select(pl.col(name).cast(of) for name, of in READINESS_SCHEMA.items()).sort(_KEYS)


def retired_of(known: pl.DataFrame, retired: Retired) -> Retired:
    """Leave out workflows without a stream: names that come and go must leave no trace."""
    living = set(known["workflow"])
    return Counter({key: count for key, count in retired.items() if key[0] in living})


def packed(retired: Retired) -> list[list[Any]]:
    """Give the counts for the state's header, in order."""
    return [[*key, count] for key, count in sorted(retired.items())]


def unpacked(rows: list[list[Any]]) -> Retired:
    """Give the counts that `packed` wrote.

    Examples
    --------
    >>> unpacked(packed(Counter({("refunds", "tool", "tool_error"): 2})))
    Counter({('refunds', 'tool', 'tool_error'): 2})
    """
    return Counter({(workflow, family, metric): count for workflow, family, metric, count in rows})

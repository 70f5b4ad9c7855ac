"""Records of earlier versions of the state, as the kernels of this one have them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.kernels.mix_state import BUCKETS, EXPECTATIONS, LAYOUT, STARTS
from detectors.state import as_records, records

GROUPS = 8  # of a mix's change points, until version 5
_LAYOUT = {name: form for name, form in LAYOUT.items() if name != "alone"} | {
    "start_n": ((GROUPS,), "i4"),
    "start_shares": ((BUCKETS, GROUPS), "f4"),
    "statistic": ((EXPECTATIONS, GROUPS), "f4"),
}


def mixes(table: NDArray[Any]) -> NDArray[Any]:
    """Give records of mixes as they are now; those until version 5 have eight groups and no `alone`.

    The oldest groups are joined as the kernel joins them: their statistics are added up, and the counts are those of the
    one that says most. Of one category that moves nothing has been gathered yet.

    Raises
    ------
    StateError
        The records are of no version that is known.
    """
    if "alone" in (table.dtype.names or ()):
        return table
    old, new = as_records(_LAYOUT, table), records(LAYOUT, len(table))
    for name in set(_LAYOUT) - {"starts", "start_n", "start_shares", "statistic"}:
        new[name] = old[name]
    new["starts"] = np.minimum(old["starts"], STARTS)
    for starts in np.unique(old["starts"]).tolist():
        rows = np.flatnonzero(old["starts"] == starts)
        oldest = max(starts - STARTS, 0) + 1  # groups that become the first
        gathered = old["statistic"][rows, :, :oldest]
        best = gathered.sum(axis=1).argmax(axis=1)
        kept = slice(oldest, starts)
        now = slice(1, 1 + max(starts - oldest, 0))
        for name in ("start_n", "start_shares", "statistic"):
            values, joined = old[name][rows], np.zeros((len(rows), *new[name].shape[1:]), new[name].dtype)
            joined[..., 0] = values[np.arange(len(rows)), ..., best]
            joined[..., now] = values[..., kept]
            if name == "statistic":
                joined[..., 0] = gathered.sum(axis=2)
            new[name][rows] = joined
    return np.asarray(new)

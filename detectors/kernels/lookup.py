"""Which code a mix has for a text: a look through the few that it knows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detectors.compiled import compiled

UNKNOWN = -2  # -1 is the code of what a learned mix does not know


@compiled
def find_codes(
    slots: NDArray[np.int64],
    texts: NDArray[np.int64],
    starts: NDArray[np.int64],
    known_texts: NDArray[np.int64],
    known_codes: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Give the code that the stream in each of `slots` has for the text beside it; `UNKNOWN` where it has none.

    Parameters
    ----------
    slots, texts : (n,) int64
        Stream and number of the text of each observation.
    starts : (streams + 1,) int64
        Where in the two others the known ones of each stream begin; later streams know none.
    known_texts, known_codes : (known,) int64
    """
    found = np.full(len(slots), UNKNOWN, np.int64)
    for row in range(len(slots)):
        s = slots[row]
        if s + 1 >= len(starts):
            continue
        for k in range(starts[s], starts[s + 1]):
            if known_texts[k] == texts[row]:
                found[row] = known_codes[k]
                break
    return found

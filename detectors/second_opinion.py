"""River's ADWIN on the standardised scores of a stream that alarmed: a second opinion, never a vote."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def adwin_verdict(scores: NDArray[np.float64]) -> dict[str, Any]:
    """Say whether ADWIN (every observation checked, River's default confidence) sees a change in `scores`, and when.

    Parameters
    ----------
    scores : (n,) float64
        Standardised scores, oldest first; the alarm is at the end.

    References
    ----------
    Bifet, Gavaldà (2007), Learning from time-changing data with adaptive windowing.
    """
    from river.drift import ADWIN  # imported on demand: only who asks for the opinion pays the second it takes

    detector = ADWIN(clock=1)
    last = -1
    for index, score in enumerate(scores.tolist()):
        detector.update(score)
        if detector.drift_detected:
            last = index
    return {
        "detector": "ADWIN",
        "agrees": last >= 0,
        "scores": len(scores),
        "last_detection_scores_ago": len(scores) - 1 - last if last >= 0 else None,
        "window": int(detector.width),
    }

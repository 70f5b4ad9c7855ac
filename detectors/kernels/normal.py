"""The standard normal law as kernels need it: clipped scores of ranks, quantiles, likelihood ratios of shifts, by tables; and
the logarithm by which they count evidence.

Frozen, as `detectors.kernels.short` is: what must change becomes a module of another name (`tests/detectors/test_purity.py`).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri  # pyright: ignore[reportMissingTypeStubs]

from detectors.compiled import compiled

CLIP = 3.0
# The standard normal distribution function from -FAR to FAR, in steps of 1 / STEP.
STEP, FAR = 256, 14
NORMAL = ndtr(np.arange(-FAR * STEP, FAR * STEP + 1) / STEP)
FARTHEST = 10.0  # beyond it a bound of a cell is as good as infinite
# Shifts of the grid, in standard deviations of the reference's normal score; each is watched upwards and downwards.
STEPS = np.array([52, 120, 264, 560])  # of the table, which makes a shift a matter of its index
SHIFTS = STEPS / STEP
LEAST = 1e-4  # no cell counts as rarer, and no ratio as less: a bound on what one value can say
# ln E exp(d * clip(Z)) of a standard normal Z clipped at CLIP: what makes exp(d * z - LOG_MGF) an e-value, for streams with a
# season or correlated neighbours.
_TAIL = ndtr(-CLIP)
_WITHIN = np.exp(SHIFTS**2 / 2) * (ndtr(CLIP - SHIFTS) - ndtr(-CLIP - SHIFTS))
LOG_MGF = np.log(_WITHIN + 2 * np.cosh(SHIFTS * CLIP) * _TAIL)
SCALE = np.exp(-LOG_MGF)
# The integral of the clipped standard normal quantile from 0 to k / POINTS: -φ(z) between the clips, straight beyond them.
POINTS = 1 << 14
_RANKS = np.minimum(np.arange(POINTS + 1), np.arange(POINTS, -1, -1)) / POINTS
_PDF = np.exp(-(np.append(ndtri(np.maximum(_RANKS, _TAIL)), -CLIP) ** 2) / 2) / math.sqrt(2 * math.pi)
INTEGRAL = np.where(_RANKS < _TAIL, -CLIP * _RANKS, _PDF[-1] - CLIP * _TAIL - _PDF[:-1])


@compiled
def clipped_integral(u: float) -> float:
    """Integral from 0 to `u` of the standard normal quantile clipped at ±CLIP, error below 1.1e-7; its slopes' below 0.01."""
    at = u * POINTS
    k = min(int(at), POINTS - 1)
    return INTEGRAL[k] + (at - k) * (INTEGRAL[k + 1] - INTEGRAL[k])


@compiled
def cell_score(low: float, high: float) -> float:
    """Mean clipped normal score of the ranks between `low` and `high` (in 0..1): ties share it, no random tie-break."""
    return (clipped_integral(high) - clipped_integral(low)) / (high - low)


@compiled
def quantile(u: float) -> float:
    """Quantile of the standard normal law, error below 1e-6 (Wichura 1988, AS 241); ±FARTHEST at 0 and 1."""
    q = u - 0.5
    if abs(q) <= 0.425:
        r = 0.180625 - q * q
        above = ((59.10937472 * r + 159.29113202) * r + 50.434271938) * r + 3.3871327179
        return q * above / (((67.1875636 * r + 78.757757664) * r + 17.895169469) * r + 1.0)
    r = min(u, 1.0 - u)
    if r <= 0.0:
        return math.copysign(FARTHEST, q)
    r = math.sqrt(-math.log(r))
    if r <= 5.0:
        r -= 1.6
        above = ((0.17023821103 * r + 1.3067284816) * r + 2.75681539) * r + 1.4234372777
        return math.copysign(above / ((0.12021132975 * r + 0.7370016425) * r + 1.0), q)
    r -= 5.0
    above = ((0.017337203997 * r + 0.42868294337) * r + 3.081226386) * r + 6.657905115
    return math.copysign(above / ((0.012258202635 * r + 0.24197894225) * r + 1.0), q)


@compiled
def cell_ratios(bottom: float, top: float, ratios: NDArray[np.float64]) -> None:
    """For each shift, up then down: how much likelier it makes a normal value between `bottom` and `top`.

    Straight between the points of the table, so that over the cells of the line the shifted chances still sum to 1.
    """
    from_bottom, from_top = (bottom + FAR) * STEP, (top + FAR) * STEP
    a, b = int(from_bottom), int(from_top)
    from_bottom, from_top = from_bottom - a, from_top - b
    chance = NORMAL[b] + from_top * (NORMAL[b + 1] - NORMAL[b])
    chance -= NORMAL[a] + from_bottom * (NORMAL[a + 1] - NORMAL[a])
    inverse = 1.0 / max(chance, LEAST)
    for i in range(8):
        shift = STEPS[i] if i < 4 else -STEPS[i - 4]
        j, k = b - shift, a - shift
        shifted = NORMAL[j] + from_top * (NORMAL[j + 1] - NORMAL[j])
        shifted -= NORMAL[k] + from_bottom * (NORMAL[k + 1] - NORMAL[k])
        ratios[i] = max(shifted * inverse, LEAST)


@compiled
def logarithm(bits: int) -> float:
    """Natural logarithm, error below 0.0002, of the positive number that `bits` are (IEEE 754): exponent and a polynomial."""
    f = (bits & 0xFFFFFFFFFFFFF) * 2.0**-52
    bend = f * (1.0 - f) * (0.43807325 + f * (-0.23669342 + f * 0.0803073))
    return 0.6931471805599453 * ((bits >> 52) - 1023 + f + bend)

"""Evidence that grows window by window: Shiryaev-Roberts, its runs, whom it blames.

M <- (1 + M) e for every bet, D = sum of w M. If E[e | past] <= 1 while all is well, D(t) - t is a
supermartingale, hence D >= N happens at most once in N windows on average, whatever the dependence
between the bets (e-detectors, Shin, Ramdas and Rinaldo 2022). Logarithms keep M in four bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]
Way: TypeAlias = Literal["up", "down", "shape"]

LEAST, MOST = -700.0, 60.0
CEILING = float(np.log(1e40))
NOTHING = -np.inf
ENOUGH = float(np.log(4.0))


@dataclass(frozen=True, slots=True)
class Direction:
    """Something that may move one way.

    Attributes:
        what: is blamed.
        aspect: of it.
        way: up, down, or a change of shape.

    """

    what: str
    aspect: str
    way: Way


def grown(log_m: Floats, log_e: Floats) -> Floats:
    """Take one window: log M <- log(1 + M) + log e, within limits that no alarm depends on.

    Where log e is NaN there was nothing to bet on, and M stays, which is less than it may be.
    """
    later = np.minimum(np.logaddexp(0.0, log_m) + np.clip(log_e, LEAST, MOST), CEILING)
    return np.where(np.isnan(log_e), log_m, later)


def detection(log_m: Floats, weights: Floats) -> Floats:
    """Share out D: (t,) terms w M whose sum is D."""
    terms: Floats = weights * np.exp(log_m)
    return terms


def summed(groups: NDArray[np.intp], values: Floats, n: int) -> Floats:
    """Add up values (t,) by group (t,): (n,)."""
    sums: Floats = np.bincount(groups, values, n).astype(np.float64)
    return sums


def lasting(begun: Integers, log_e: Floats, log_m: Floats, now: int) -> Integers:
    """Keep the runs of bets that go on, begin new ones, end the others.

    A run is what CUSUM would call one: it goes on while windows speak for the change, and while one
    that does not leaves M above 4. Its start is the estimate of when the change began, and it
    survives the restart of M after an alarm.

    Args:
        begun: (t,) when each began, from 1; 0: none.
        log_e: (t,) of the window; NaN leaves a run as it is.
        log_m: (t,) after it.
        now: number of the window.

    """
    goes_on = (log_e > 0) | (log_m > ENOUGH) | (np.isnan(log_e) & (begun > 0))
    return np.where(goes_on, np.where(begun > 0, begun, now), 0)


def shifted(begun: Integers, turn: int) -> Integers:
    """Count from a later window; what began before it began with it."""
    return np.where(begun > 0, np.maximum(begun - turn, 1), 0)


def e_benjamini_hochberg(evidence: Sequence[float], level: float) -> list[int]:
    """List hypotheses by e-BH: the k largest, with k the last at which k e_(k) / m >= level.

    Controls the false discovery rate at 1/level under any dependence (Wang and Ramdas 2022).

    Args:
        evidence: m e-values.
        level: above 1.

    Returns:
        their indices, largest first.

    """
    order = sorted(range(len(evidence)), key=lambda j: (-evidence[j], j))
    reached = [k for k, j in enumerate(order, 1) if k * evidence[j] >= level * len(evidence)]
    return order[: max(reached, default=0)]


def replayed(log_e: Floats, order: NDArray[np.intp], weights: Floats) -> Floats:
    """Run many windows that are drawn from few.

    Args:
        log_e: (w, t) of the windows.
        order: (n,) which of them, one after the other.
        weights: (t,).

    Returns:
        (n,) D after each; never restarted.

    """
    idle = np.isnan(log_e)
    factors = np.where(idle, 1.0, np.exp(np.clip(log_e, LEAST, MOST)))
    added = np.where(idle, 0.0, 1.0)
    m = np.zeros(log_e.shape[1])
    d = np.empty(len(order))
    for step, window in enumerate(order):
        m = np.minimum((added[window] + m) * factors[window], 1e40)
        d[step] = weights @ m
    return d

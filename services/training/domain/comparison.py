"""Whether one model is better than another on the same rows: paired, by blocks of time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Blocks = NDArray[np.intp]

RESAMPLES = 2000
FEWEST_DAYS = 10
DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Difference:
    """A mean difference; each bound alone holds with the stated confidence."""

    mean: float
    low: float
    high: float
    confidence: float


def blocks_of(times: NDArray[np.int64]) -> Blocks:
    """Group rows that depend on each other: by UTC day, or ten equal stretches of fewer days.

    Args:
        times: (n,) event times in microseconds, ascending.

    Returns:
        (n,) block numbers 0, 1, ..., ascending.

    """
    days = np.unique(times // DAY_US, return_inverse=True)[1]
    if days[-1] + 1 >= FEWEST_DAYS:
        return days.astype(np.intp)
    return (np.arange(len(times)) * min(FEWEST_DAYS, len(times)) // len(times)).astype(np.intp)


def difference(deltas: Vector, blocks: Blocks, confidence: float, seed: int) -> Difference:
    """Bound the mean of paired differences by a block bootstrap.

    Blocks are drawn with replacement, 2,000 times; a bound is the (1 - confidence) or the
    confidence quantile of the resampled means, widened by sqrt(b / (b - 1)) for b blocks, which a
    bootstrap of few blocks is too narrow by. Rows of one block may depend on each other in any way.

    Args:
        deltas: (n,) loss of the one minus loss of the other, per row, n at least 1.
        blocks: (n,) block of each row.
        confidence: of each bound alone (one-sided), above .5.
        seed: makes the interval a function of its inputs.

    Returns:
        The interval; a single block bounds nothing, so its bounds are the extremes of the rows.

    """
    used, index = np.unique(blocks, return_inverse=True)
    mean, b = float(deltas.mean()), len(used)
    if b == 1:
        return Difference(mean, float(deltas.min()), float(deltas.max()), confidence)
    sums, counts = np.bincount(index, deltas), np.bincount(index).astype(np.float64)
    drawn = np.random.default_rng(seed).multinomial(b, np.full(b, 1 / b), RESAMPLES)
    low, high = np.quantile((drawn @ sums) / (drawn @ counts), [1 - confidence, confidence])
    wider = np.sqrt(b / (b - 1))
    return Difference(
        mean, float(mean + (low - mean) * wider), float(mean + (high - mean) * wider), confidence
    )


def simplest_within_noise(losses: list[Vector], blocks: Blocks) -> int:
    """Choose among models, given from simple to complex, on the same selection rows.

    The first whose mean loss exceeds the best one's by no more than one standard error of the
    paired difference, estimated between blocks of time.

    Args:
        losses: of each model its (n,) losses.
        blocks: (n,) block of each row.

    Returns:
        Index of the choice.

    """
    best = min(losses, key=lambda loss: float(loss.mean()))
    for index, loss in enumerate(losses):
        if loss.mean() - best.mean() <= _standard_error(loss - best, blocks):
            return index
    raise AssertionError("the best is within noise of itself")


def _standard_error(deltas: Vector, blocks: Blocks) -> float:
    """Estimate the standard error of the mean of `deltas`, se^2 = sum_b (S_b - n_b m)^2 / n^2."""
    sums, counts = np.bincount(blocks, deltas), np.bincount(blocks)
    return float(np.sqrt(np.square(sums - counts * deltas.mean()).sum()) / len(deltas))

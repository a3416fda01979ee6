"""Chi-square of a feature's whole histogram: what no single score points at.

    X2 = sum (c - n q)^2 / (n q) / phi,   phi = 1 + n / n_ref + n tau^2

Within the tolerance X2 is about a non-central chi-square with k degrees and lambda = n delta^2
min(k, 2), approximated by a scaled central one. Its tail probability p becomes the e-value
(1 - p + p ln p) / (p ln^2 p). This is asymptotic: cells with n q < 5 are pooled, a pool below 5 is
dropped, and the omnibus has a fifth of a feature's weight.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy

from shared.drift.evidence import Direction
from shared.drift.streams import Floats, Integers, Stream, Streams, Truths

LEAST = 5.0
SMALLEST, LARGEST = 1e-290, 0.999
UNLIKELY = 0.01


class Omnibus:
    """One test per feature over its known cells.

    Args:
        whole: a stream per feature whose cells and shares are the histogram.
        delta: (f,) tolerance in standard deviations.
        swing: (f,) as in `Tilts`.

    """

    def __init__(self, whole: Sequence[Stream], delta: Floats, swing: Floats) -> None:
        self.streams, self.delta, self.swing = Streams(whole), delta, swing
        self.directions = tuple(Direction(one.what, "histogram", "shape") for one in whole)
        self.of = np.arange(len(whole))

    def log_e(self, vectors: Integers) -> Floats:
        """Compute (w, f) log e-values of windows (w, v); NaN where fewer than two cells remain."""
        tail, tested = self._tails(vectors)
        return np.where(tested, log_e_of_tail(tail), np.nan)

    def moved(self, vectors: Integers) -> Floats:
        """Compute (w, f) shares of rows that changed their cell."""
        counts = vectors[:, self.streams.cells] * self.streams.member
        rows = np.maximum(counts.sum(axis=2, keepdims=True), 1.0)
        moved: Floats = np.abs(counts / rows - self.streams.shares).sum(axis=2) / 2
        return moved

    def outside(self, vectors: Integers) -> Truths:
        """Tell (w, f) where the histogram is unlikely within the tolerance."""
        tail, tested = self._tails(vectors)
        return (tail < UNLIKELY) & tested

    def _tails(self, vectors: Integers) -> tuple[Floats, Truths]:
        counts = vectors[:, self.streams.cells] * self.streams.member
        rows = counts.sum(axis=2)
        expected = rows[:, :, None] * self.streams.shares
        single = expected >= LEAST
        pool, pooled = (np.where(single, 0.0, part).sum(axis=2) for part in (counts, expected))
        keep = pooled >= LEAST
        cells = single.sum(axis=2) + keep
        inside = np.where(single, counts, 0.0).sum(axis=2) + keep * pool
        planned = np.where(single, expected, 0.0).sum(axis=2) + keep * pooled
        scale = inside / np.maximum(planned, 1.0)
        x2 = _distance(counts, expected * scale[:, :, None], single)
        x2 += _distance(pool, pooled * scale, keep)
        x2 /= 1.0 + rows * (1.0 / self.streams.rows + np.square(self.swing))
        k = np.maximum(cells - 1.0, 1.0)
        centre = rows * np.square(self.delta) * np.minimum(k, 2.0)
        scaled = (k + 2 * centre) / (k + centre)
        tail: Floats = scipy.special.chdtrc(np.square(k + centre) / (k + 2 * centre), x2 / scaled)
        return tail, cells >= 2


def log_e_of_tail(tail: Floats) -> Floats:
    """Turn tail probabilities into log e-values: (1 - p + p ln p) / (p ln^2 p), 1/2 at p = 1."""
    p = np.clip(tail, SMALLEST, LARGEST)
    log = np.log(p)
    value: Floats = np.log(1.0 - p + p * log) - log - 2.0 * np.log(-log)
    return value


def _distance(counts: Floats, expected: Floats, where: Truths) -> Floats:
    terms = np.square(counts - expected) / np.where(where, np.maximum(expected, 1e-12), 1.0)
    kept = np.where(where, terms, 0.0)
    distance: Floats = kept.sum(axis=2) if kept.ndim == 3 else kept
    return distance

"""Distances between histograms, for display only: none has a threshold with a known error rate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shared.drift.baseline import Watched
from shared.drift.streams import Floats, Integers

HALF = 0.5


@dataclass(frozen=True, slots=True)
class Shown:
    """How a column of a window looks beside the reference.

    Attributes:
        psi: population stability index, nats.
        js: Jensen-Shannon divergence, nats; at most ln 2.
        missing: share of null.
        unseen: share of values that the reference never saw.

    """

    psi: float
    js: float
    missing: float
    unseen: float


def shown(watched: Watched, counts: Integers) -> Shown:
    """Compare a column's counts (width,) with its reference."""
    reference = np.array(watched.counts)
    n = max(int(counts.sum()), 1)
    strange = [*watched.cells.strange, *watched.cells.nonfinite]
    return Shown(
        population_stability_index(reference, counts),
        jensen_shannon(reference, counts),
        float(counts[watched.cells.null]) / n,
        float(counts[strange].sum()) / n,
    )


def population_stability_index(reference: Integers, counts: Integers) -> float:
    """Compute sum (w - r) ln(w / r) of two histograms (k,), half a row more in each cell."""
    r, w = _shares(reference, counts)
    return float(np.sum((w - r) * np.log(w / r)))


def jensen_shannon(reference: Integers, counts: Integers) -> float:
    """Compute the mean divergence of two histograms (k,) from their average."""
    r, w = _shares(reference, counts)
    middle = (r + w) / 2
    return float(np.sum(r * np.log(r / middle) + w * np.log(w / middle)) / 2)


def _shares(reference: Integers, counts: Integers) -> tuple[Floats, Floats]:
    """Turn counts into shares, without the cells that neither histogram uses."""
    used = (reference > 0) | (counts > 0)
    r, w = reference[used] + HALF, counts[used] + HALF
    return r / max(r.sum(), HALF), w / max(w.sum(), HALF)

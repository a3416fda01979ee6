"""How many rows a window has, against the reference windows.

Counts of events are far from Poisson, so the logarithm is compared with a heavy-tailed law: beyond
a tolerance of c spreads around the median, Student's t with 4 degrees of freedom gives the tail
probability p, and (1 - p + p ln p) / (p ln^2 p) the e-value, for either direction.
"""

from __future__ import annotations

import numpy as np
from scipy.special import stdtr

from shared.drift.baseline import Volume
from shared.drift.evidence import Direction
from shared.drift.omnibus import log_e_of_tail
from shared.drift.streams import Floats, Integers, Truths

FREEDOM = 4


class VolumeTest:
    """Tests the rows of each window.

    Args:
        volume: of the reference windows.
        factor: how many spreads are tolerated.
        place: of the rows in the window's counts.

    """

    def __init__(self, volume: Volume, factor: float, place: int) -> None:
        self.volume, self.factor, self.place = volume, factor, place
        self.directions = (
            Direction("volume", "rows", "up"),
            Direction("volume", "rows", "down"),
        )
        self.of = np.arange(2)

    def log_e(self, vectors: Integers) -> Floats:
        """Compute (w, 2) log e-values."""
        beyond = self._spreads(vectors) - self.factor
        return log_e_of_tail(stdtr(FREEDOM, -beyond))

    def moved(self, vectors: Integers) -> Floats:
        """Compute (w, 2) changes of the logarithm."""
        return np.repeat(self._spreads(vectors)[:, :1] * self.volume.spread, 2, axis=1)

    def outside(self, vectors: Integers) -> Truths:
        """Tell (w, 2) which are beyond the tolerance."""
        outside: Truths = self._spreads(vectors) > self.factor
        return outside

    def _spreads(self, vectors: Integers) -> Floats:
        distance = np.log(np.maximum(vectors[:, self.place], 1)) - self.volume.centre
        spreads: Floats = distance[:, None] * np.array([1.0, -1.0]) / self.volume.spread
        return spreads

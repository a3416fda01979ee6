"""How many rows a window has, against the reference windows.

Counts of events are far from Poisson, so the logarithm is compared with a heavy-tailed law. Up to
c spreads around the median, and always up to half and to double, is tolerated; beyond that
Student's t with 4 degrees of freedom gives the tail probability p, and
(1 - p + p ln p) / (p ln^2 p) the e-value, for either direction.
"""

from __future__ import annotations

import numpy as np
import scipy

from shared.drift.baseline import Volume
from shared.drift.evidence import Direction
from shared.drift.omnibus import log_e_of_tail
from shared.drift.streams import Floats, Integers, Truths

FREEDOM = 4
DOUBLE = float(np.log(2.0))


class VolumeTest:
    """Tests the rows of each window.

    Args:
        volume: of the reference windows.
        factor: how many spreads are tolerated, if that is more than half and double.
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
        return log_e_of_tail(
            scipy.special.stdtr(FREEDOM, -self._beyond(vectors) / self.volume.spread)
        )

    def moved(self, vectors: Integers) -> Floats:
        """Compute (w, 2) changes of the logarithm."""
        return np.repeat(self._distance(vectors)[:, None], 2, axis=1)

    def outside(self, vectors: Integers) -> Truths:
        """Tell (w, 2) which are beyond the tolerance."""
        outside: Truths = self._beyond(vectors) > 0
        return outside

    def _beyond(self, vectors: Integers) -> Floats:
        tolerance = max(DOUBLE, self.factor * self.volume.spread)
        beyond: Floats = self._distance(vectors)[:, None] * np.array([1.0, -1.0]) - tolerance
        return beyond

    def _distance(self, vectors: Integers) -> Floats:
        distance: Floats = np.log(np.maximum(vectors[:, self.place], 1)) - self.volume.centre
        return distance

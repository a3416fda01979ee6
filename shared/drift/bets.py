"""Betting e-values for a bounded mean, played on a histogram.

Rows with standardised values s are bet on one after the other, a stake lambda against a mean of at
most m:

    log e = sum_k c_k log(1 + lambda (s_k - m))

E[e] <= 1 needs no more than E[s | past] <= m: no shape, no independence, no least number of rows.
The stakes stand for effects in standard deviations, and stay below .9 / (m - min s), where a single
row could ruin the player. m is the tolerance, which is at least twice the standard error of the
reference's own mean. Where means vary by tau from window to window although nothing has changed,
the rows of a window share its luck, and log e is divided by 1 + n tau^2, as in `tilts`.
"""

from __future__ import annotations

import numpy as np

from shared.drift.evidence import Direction, Way
from shared.drift.streams import Floats, Integers, Streams, Truths
from shared.drift.tilts import OUTSIDE

STAKES = np.array([0.025, 0.05, 0.1, 0.2, 0.4, 0.8])
MOST = 0.9


class Bets:
    """Bets on many streams, upwards or in both directions.

    Args:
        streams: s of them.
        mean: (s,) largest tolerated mean in standard deviations, the same in both directions.
        swing: (s,) as in `Tilts`.

    """

    def __init__(self, streams: Streams, mean: Floats, swing: Floats) -> None:
        self.streams, self.mean, self.swing = streams, mean, swing
        sides = [
            (stream, sign)
            for stream in range(len(streams))
            for sign in ((1.0,) if streams.upward[stream] else (1.0, -1.0))
        ]
        self.stream = np.array([stream for stream, _ in sides], np.intp)
        self.sign = np.array([sign for _, sign in sides])
        values = self.sign[:, None] * streams.values[self.stream] - mean[self.stream, None]
        stakes = np.minimum(STAKES, MOST / np.maximum(-values.min(axis=1), FLAT)[:, None])
        member = streams.member[self.stream][:, None, :]
        self.payoffs = np.log1p(stakes[:, :, None] * values[:, None, :] * member)
        self.of = np.repeat(np.arange(len(sides)), len(STAKES))
        self.directions = tuple(
            Direction(streams.each[stream].what, streams.each[stream].aspect, _word(sign))
            for stream, sign in sides
        )

    def log_e(self, vectors: Integers) -> Floats:
        """Compute (w, t) log e-values of w windows (w, v); NaN without rows."""
        counts = vectors[:, self.streams.cells[self.stream]]
        values = np.einsum("wsk,slk->wsl", counts, self.payoffs)
        rows = np.einsum("wsk,sk->ws", counts, self.streams.member[self.stream])
        shared = 1.0 + rows * np.square(self.swing[self.stream])
        values = np.where(rows[:, :, None] > 0, values / shared[:, :, None], np.nan)
        return values.reshape(len(vectors), -1)

    def moved(self, vectors: Integers) -> Floats:
        """Compute (w, d) effects: upwards is positive."""
        means = self.streams.means(vectors) * self.streams.unit
        moved: Floats = means[:, self.stream]
        return moved

    def outside(self, vectors: Integers) -> Truths:
        """Tell (w, d) which directions lie beyond their tolerance by more than chance."""
        totals, rows = (sums[:, self.stream] for sums in self.streams.sums(vectors))
        slack = OUTSIDE * np.sqrt(rows * (1.0 + rows * np.square(self.swing[self.stream])))
        beyond: Truths = self.sign * totals > rows * self.mean[self.stream] + slack
        return beyond


FLAT = 1e-9


def _word(sign: float) -> Way:
    return "up" if sign > 0 else "down"

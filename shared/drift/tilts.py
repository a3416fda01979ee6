"""Likelihood ratios of exponentially tilted reference shares: e-values for a mean score.

Tilting gives the shares p_k e^{t s_k} / sum. For a tolerance delta and an effect d, t = eta is
where the mean score is delta and t = eta + theta where it is delta + d; a window of n rows with
counts c gives, with psi(t) = log sum_k p_k e^{t s_k},

    log e = (theta sum_k c_k s_k - n [psi(theta + eta) - psi(eta)]) / phi

so that E[e] = 1 for multinomial counts whose mean is at the tolerance, rare cells included.
phi = 1 + n / n_ref + n tau^2 pays for shares that were estimated from n_ref rows, and for means
that vary by tau from window to window although nothing has changed. Where windows remember each
other with a correlation rho, tau^2 stands for tau^2 (1 + rho) / (1 - rho), the variance of many of
them together. Effects stand for standard deviations: a grid in theta would never see a rare
category. Downwards is the same with -s.
"""

from __future__ import annotations

import numpy as np

from shared.drift.evidence import Direction
from shared.drift.streams import Floats, Indices, Integers, Streams, Truths

EFFECTS = np.array([0.05, 0.1, 0.2, 0.4, 0.8])
REACH = 0.98
OUTSIDE = 2.0


class Tilts:
    """Tilts of many streams in both directions, solved once.

    Args:
        streams: s of them.
        delta: (s,) tolerance in standard deviations, above 0.
        swing: (s,) standard deviation tau of the windows' means beyond chance; where windows
            remember each other, what it comes to over many of them.

    """

    def __init__(self, streams: Streams, delta: Floats, swing: Floats) -> None:
        self.streams, self.delta, self.swing = streams, delta, swing
        stream, sign, effect = (
            grid.ravel()
            for grid in np.meshgrid(
                np.arange(len(streams)), np.array([1.0, -1.0]), EFFECTS, indexing="ij"
            )
        )
        present = np.where(streams.shares > 0, streams.values, 0.0)
        reach = np.where(sign > 0, present.max(axis=1)[stream], -present.min(axis=1)[stream])
        target = delta[stream] + effect
        usable = (target <= REACH * reach) & ((sign > 0) | ~streams.upward[stream])
        self.stream, self.sign = stream[usable], sign[usable]
        self.theta, self.cost = self._solved(delta[self.stream], target[usable])
        self.directions, self.of = self._directions()

    def log_e(self, vectors: Integers) -> Floats:
        """Compute (w, t) log e-values of w windows (w, v); NaN without rows."""
        totals, rows = self.streams.sums(vectors)
        phi = 1.0 + rows * (1.0 / self.streams.rows + np.square(self.swing))
        gained = self.theta * self.sign * totals[:, self.stream] - rows[:, self.stream] * self.cost
        idle = rows[:, self.stream] == 0
        values: Floats = np.where(idle, np.nan, gained / phi[:, self.stream])
        return values

    def moved(self, vectors: Integers) -> Floats:
        """Compute (w, d) effects: share points, or standard deviations; upwards is positive."""
        means = self.streams.means(vectors) * self.streams.unit
        moved: Floats = means[:, self._streams_of_directions]
        return moved

    def outside(self, vectors: Integers) -> Truths:
        """Tell (w, d) which directions lie beyond their tolerance by more than chance."""
        totals, rows = self.streams.sums(vectors)
        which, sign = self._streams_of_directions, self._signs_of_directions
        slack = OUTSIDE * np.sqrt(rows * (1.0 + rows * np.square(self.swing)))[:, which]
        beyond: Truths = sign * totals[:, which] > rows[:, which] * self.delta[which] + slack
        return beyond

    def _solved(self, near: Floats, far: Floats) -> tuple[Floats, Floats]:
        """Solve theta and psi(theta + eta) - psi(eta) for each usable tilt."""
        values = self.sign[:, None] * self.streams.values[self.stream]
        shares = self.streams.shares[self.stream]
        eta, total = (_tilt(values, shares, mean) for mean in (near, far))
        return total - eta, _psi(values, shares, total) - _psi(values, shares, eta)

    def _directions(self) -> tuple[tuple[Direction, ...], Indices]:
        pairs, of = np.unique(np.stack([self.stream, -self.sign]), axis=1, return_inverse=True)
        self._streams_of_directions = pairs[0].astype(np.intp)
        self._signs_of_directions = -pairs[1]
        each = self.streams.each
        directions = tuple(
            Direction(each[stream].what, each[stream].aspect, "up" if sign > 0 else "down")
            for stream, sign in zip(
                self._streams_of_directions, self._signs_of_directions, strict=True
            )
        )
        return directions, of.ravel()


def _tilt(values: Floats, shares: Floats, mean: Floats) -> Floats:
    """Bisect for the t >= 0 at which the tilted mean of each row is as asked."""
    low = np.zeros(len(values))
    high = np.full(len(values), 1.0)
    for _ in range(60):
        short = _mean(values, shares, high) < mean
        if not short.any():
            break
        high = np.where(short, 2 * high, high)
    for _ in range(50):
        middle = (low + high) / 2
        short = _mean(values, shares, middle) < mean
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    return low


def _weights(values: Floats, shares: Floats, t: Floats) -> tuple[Floats, Floats]:
    exponent = t[:, None] * values
    top = np.where(shares > 0, exponent, -np.inf).max(axis=1)
    weights: Floats = shares * np.exp(np.minimum(exponent - top[:, None], 0.0))
    return weights, top


def _mean(values: Floats, shares: Floats, t: Floats) -> Floats:
    weights, _ = _weights(values, shares, t)
    mean: Floats = (weights * values).sum(axis=1) / weights.sum(axis=1)
    return mean


def _psi(values: Floats, shares: Floats, t: Floats) -> Floats:
    weights, top = _weights(values, shares, t)
    psi: Floats = np.log(weights.sum(axis=1)) + top
    return psi

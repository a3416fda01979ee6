"""What is counted of a rule: its false alarms, its delays, and who is faster at the same price."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
OURS = "driftwheel"


@dataclass(frozen=True)
class Quiet:
    """False alarms of a rule over windows in which nothing happened.

    Attributes:
        rule: its name.
        setting: of the stream.
        rows: per window.
        windows: that were judged.
        alarms: of them.

    """

    rule: str
    setting: str
    rows: int
    windows: int
    alarms: int

    @property
    def rate(self) -> float:
        """False alarms per window."""
        return self.alarms / self.windows

    @property
    def bound(self) -> float:
        """Upper end of the rate's one-sided 95 % interval (Clopper and Pearson 1934)."""
        if self.alarms >= self.windows:
            return 1.0
        return float(stats.beta.ppf(CONFIDENCE, self.alarms + 1, self.windows - self.alarms))


@dataclass(frozen=True)
class Delay:
    """How soon a rule noticed a drift.

    Attributes:
        rule: its name.
        setting: of the stream.
        rows: per window.
        drift: what happened.
        windows: from the drift to the alarm, 1 = in its first window; inf: not in time. One per
            repetition.
        seen: share of windows in which a rule without memory alarms.

    """

    rule: str
    setting: str
    rows: int
    drift: str
    windows: Sequence[float]
    seen: float | None = None

    @property
    def median(self) -> float:
        """Half of the drifts have been noticed by then."""
        return float(np.quantile(self.windows, 0.5, method="inverted_cdf"))

    @property
    def ninth(self) -> float:
        """Nine in ten have been noticed by then."""
        return float(np.quantile(self.windows, 0.9, method="inverted_cdf"))

    @property
    def found(self) -> float:
        """Share that was noticed in time."""
        return float(np.isfinite(self.windows).mean())


Told = tuple[list[Quiet], list[Delay]]


def memoryless(
    where: tuple[str, str, int, str], chances: Sequence[float], rng: np.random.Generator
) -> Delay:
    """Time a rule that judges each window alone, from its chance of an alarm in each repetition."""
    waits = [float(rng.geometric(chance)) if chance > 0 else inf for chance in chances]
    return Delay(*where, waits, float(np.mean(chances)))


def merged(quiet: Iterable[Quiet]) -> list[Quiet]:
    """Add what was counted of the same rule in the same setting."""
    sums: dict[tuple[str, str, int], tuple[int, int]] = {}
    for one in quiet:
        windows, alarms = sums.get((one.rule, one.setting, one.rows), (0, 0))
        sums[one.rule, one.setting, one.rows] = windows + one.windows, alarms + one.alarms
    return [Quiet(*key, *counted) for key, counted in sums.items()]


def pooled(delays: Iterable[Delay]) -> list[Delay]:
    """Put the repetitions of the same rule and drift together."""
    found: dict[tuple[str, str, int, str], list[Delay]] = {}
    for one in delays:
        found.setdefault((one.rule, one.setting, one.rows, one.drift), []).append(one)
    return [
        Delay(*key, [wait for own in parts for wait in own.windows], _mean(parts))
        for key, parts in found.items()
    ]


def _mean(parts: Sequence[Delay]) -> float | None:
    seen = [one.seen for one in parts if one.seen is not None]
    return float(np.mean(seen)) if seen else None


def behind(quiet: Sequence[Quiet], delays: Sequence[Delay], promise: float) -> list[Delay]:
    """Find the rivals that beat ours: faster at the median, at no more false alarms.

    Args:
        quiet: every rule's false alarms, merged.
        delays: every rule's delays, pooled.
        promise: N; a rival competes where it keeps to one false alarm per N windows, in that
            setting and at that size of window.

    Returns:
        The delays that are shorter than ours.

    """
    kept = {(one.rule, one.setting, one.rows) for one in quiet if one.rate <= 1.0 / promise}
    ours = {(one.setting, one.rows, one.drift): one.median for one in delays if one.rule == OURS}
    return [
        one
        for one in delays
        if (one.rule, one.setting, one.rows) in kept
        and one.rule != OURS
        and one.median < ours[one.setting, one.rows, one.drift]
    ]

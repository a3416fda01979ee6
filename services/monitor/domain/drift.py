"""The first detector: calibration and loss of the champion on its latest matured windows.

Both compare a trailing mean with what it should be and ask two questions: is the difference large
enough to matter (a tolerance), and too large for chance (a z-score beyond the two-sided normal
quantile of 1/N)? Outcomes of a day share its weather, so their mean varies more than independent
outcomes would. The overdispersion phi is estimated from how far whole windows lie around their
common mean:

    phi = max(1, 1/(k-1) sum_w (D_w - n_w d)^2 / V_w),   z = |sum_w D_w| / sqrt(phi sum_w V_w)

with D_w the sum of differences in window w, d their mean over all windows and V_w the variance that
independent outcomes would have.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import Literal

from services.monitor.domain.merging import Whole
from services.monitor.domain.tallies import Sums, VersionSums

Kind = Literal["calibration", "loss"]
Task = Literal["binary", "multiclass", "regression"]


@dataclass(frozen=True, slots=True)
class Champion:
    """Whom the detectors watch.

    Attributes:
        version: of the model.
        task: tells how residuals are scaled.
        loss: mean on its pinned rows; None for the declared prior.
        loss_sd: standard deviation of that loss per row.

    """

    version: str
    task: Task
    loss: float | None
    loss_sd: float | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a detector says about the latest window.

    Attributes:
        statistic: z of the trailing difference.
        level: the quantile it has to pass.
        alarm: it has, and the difference is larger than the tolerance.
        since: start of the evidence, microseconds.
        blamed: slices that moved most, as "feature=value".
        summary: in words.

    """

    detector: Kind
    statistic: float
    level: float
    alarm: bool
    since: int
    blamed: tuple[str, ...]
    summary: str


@dataclass(frozen=True, slots=True)
class TrailingMeans:
    """Compares means over the latest windows; see the module for the formulas.

    Args:
        windows: how many windows back the evidence reaches.
        least_windows: with fewer the overdispersion cannot be estimated, and nothing is said.
        least_labels: with fewer nothing is said.
        calibration: tolerated difference of mean score and mean label, as a probability.
        calibration_sd: for regression: the same in standard deviations of the residual, where .1 is
            what .05 is to a label that is true one time in three.
        loss: tolerated excess over the champion's baseline, as a share of it.

    """

    windows: int = 7
    least_windows: int = 3
    least_labels: int = 200
    calibration: float = 0.05
    calibration_sd: float = 0.1
    loss: float = 0.05

    def verdicts(
        self, trail: Sequence[Whole], champion: Champion, promise: int
    ) -> tuple[Verdict, ...]:
        """Judge the champion on the trail.

        Args:
            trail: complete windows, oldest first, of all versions.
            champion: the version to watch, and its baseline.
            promise: N of "at most one false alarm in N windows".

        Returns:
            One verdict per detector that has enough evidence.

        """
        seen = [
            (window.start, window.versions[champion.version])
            for window in trail[-self.windows :]
            if champion.version in window.versions
            and window.versions[champion.version].total.labelled
        ]
        labels = sum(sums.total.labelled for _, sums in seen)
        if len(seen) < self.least_windows or labels < self.least_labels:
            return ()
        level = NormalDist().inv_cdf(1 - 0.5 / promise)
        evidence = _Evidence(seen[0][0], [sums for _, sums in seen], labels, level)
        found = [self._calibration(evidence, champion)]
        if champion.loss and champion.loss_sd:
            found.append(self._loss(evidence, champion.loss, champion.loss_sd))
        return tuple(found)

    def _calibration(self, evidence: _Evidence, champion: Champion) -> Verdict:
        z, mean, blamed = evidence.test(
            lambda sums: sums.predicted - sums.observed, lambda sums: sums.variance
        )
        tolerance = self.calibration
        if champion.task == "regression":
            variance = sum(sums.total.variance for sums in evidence.windows) / evidence.labels
            tolerance = self.calibration_sd * sqrt(variance)
        predicted, observed = (
            sum(getattr(sums.total, name) for sums in evidence.windows) / evidence.labels
            for name in ("predicted", "observed")
        )
        alarm = abs(mean) > tolerance and z > evidence.level
        text = f"mean score {predicted:.3g}, mean label {observed:.3g}"
        return evidence.verdict("calibration", z, alarm, blamed, text)

    def _loss(self, evidence: _Evidence, loss: float, sd: float) -> Verdict:
        z, mean, blamed = evidence.test(
            lambda sums: sums.loss - loss * sums.labelled, lambda sums: sd * sd * sums.labelled
        )
        z = z if mean > 0 else -z
        alarm = mean > self.loss * loss and z > evidence.level
        text = f"mean loss {loss + mean:.3g}, expected {loss:.3g}"
        return evidence.verdict("loss", z, alarm, blamed, text)


@dataclass(frozen=True, slots=True)
class _Evidence:
    """The champion's sums, window by window."""

    since: int
    windows: Sequence[VersionSums]
    labels: int
    level: float

    def test(
        self, difference: Callable[[Sums], float], variance: Callable[[Sums], float]
    ) -> tuple[float, float, tuple[str, ...]]:
        """Find z, the mean difference per label, and the slices to blame for it."""
        totals = [sums.total for sums in self.windows]
        whole = sum(difference(sums) for sums in totals)
        expected = sum(variance(sums) for sums in totals)
        mean = whole / self.labels
        if expected <= 0:
            return 0.0, mean, ()
        spread = sum(
            (difference(sums) - sums.labelled * mean) ** 2 / variance(sums)
            for sums in totals
            if variance(sums) > 0
        )
        phi = max(1.0, spread / max(1, len(totals) - 1))
        direction = 1 if whole > 0 else -1
        moved = {
            name: direction * difference(sums) / sqrt(phi * variance(sums))
            for name, sums in self._slices().items()
            if variance(sums) > 0
        }
        blamed = sorted((name for name in moved if moved[name] > 1), key=lambda n: -moved[n])
        return abs(whole) / sqrt(phi * expected), mean, tuple(blamed[:5])

    def verdict(
        self, detector: Kind, z: float, alarm: bool, blamed: tuple[str, ...], text: str
    ) -> Verdict:
        """Put it in words."""
        sign = ">" if z > self.level else "<="
        summary = (
            f"{text} over {len(self.windows)} windows ({self.labels:,} labels), "
            f"z {z:.1f} {sign} {self.level:.1f}"
        )
        if blamed:
            summary += f"; most in {', '.join(blamed)}"
        return Verdict(detector, z, self.level, alarm, self.since, blamed, summary)

    def _slices(self) -> dict[str, Sums]:
        """Add up each slice over the windows: "feature=value" -> sums."""
        whole = VersionSums()
        for sums in self.windows:
            whole.add(sums)
        return {
            f"{feature}={value}": sums
            for feature, by_value in whole.slices.items()
            for value, sums in by_value.items()
        }

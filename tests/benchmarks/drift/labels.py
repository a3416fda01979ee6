"""The labels' part of the study: losses, calibration, slices and arrivals of matured windows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from shared.drift.fitting import Held, Reference, fit
from shared.drift.watch import Watch
from shared.drift.windows import Outcomes
from tests.benchmarks.drift.columns import POINTS, QUANTILES, Values, Vector
from tests.benchmarks.drift.head import ARRIVED, PROMISE, REFERENCE_WINDOWS, WINDOW_US
from tests.benchmarks.drift.judging import OURS, Delay, Quiet, memoryless

SLICES = 10
DAY_SD = 0.2  # logits by which every probability of a day may be off
SETTINGS = ("i.i.d.", "overdispersed days")
WARM, PART = 24, 250
NANNYML = "NannyML 3 sd"


@dataclass(frozen=True)
class Change:
    """What happens to the labels.

    Attributes:
        errors: share of wrong answers, of a model that is sure; None: as before.
        logits: by which every probability of the event rises.
        unrelated: labels no longer depend on the score.
        first_slice: it happens in the first slice alone.

    """

    errors: float | None = None
    logits: float = 0.0
    unrelated: bool = False
    first_slice: bool = False


NOTHING = Change()


@dataclass(frozen=True)
class Rows:
    """Labelled rows of windows: each (windows, rows); `arrived` is false where no label came."""

    scores: Values
    labels: Values
    slices: NDArray[np.intp]
    arrived: NDArray[np.bool_]
    losses: Values

    def errors(self) -> list[Values]:
        """Take the losses of what arrived, by window."""
        return [one[mask] for one, mask in zip(self.losses, self.arrived, strict=True)]


@dataclass(frozen=True)
class World:
    """A model and its truth.

    `sure` models say .1 or .9, are right about it, and their loss is the error, 0 or 1: wrong in
    ten of a hundred. The others have graded, calibrated probabilities and Brier's loss.

    Attributes:
        setting: name in SETTINGS.
        rows: labels that each window has at least; a tenth more are predicted.
        sure: see above.
        share: of rows in the first of ten slices.

    """

    setting: str
    rows: int
    sure: bool
    share: float = 1 / SLICES

    @property
    def name(self) -> str:
        """Name the setting, and the model where its false alarms depend on it."""
        model = "sure" if self.sure else "graded"
        share = f", slice of {100 * self.share:.0f} %" if self.share != 1 / SLICES else ""
        return f"labels {self.setting}, {model}{share}"

    @cached_property
    def points(self) -> Vector:
        """Lay out the scores' law: (POINTS,) equally likely."""
        if self.sure:
            return np.where(QUANTILES < 0.5, 0.1, 0.9)
        return np.asarray(special.expit(stats.norm(-1.0, 1.2).ppf(QUANTILES)))

    def losses(self, scores: Values, labels: Values) -> Values:
        """Measure each prediction."""
        return ((scores > 0.5) != labels) * 1.0 if self.sure else (scores - labels) ** 2

    def draw(self, windows: int, rng: np.random.Generator, change: Change = NOTHING) -> Rows:
        """Draw rows of windows."""
        shape = (windows, round(1.1 * self.rows))
        picks = rng.integers(POINTS, size=shape)
        scores = self.points[picks]
        others = rng.integers(1, SLICES, size=shape)
        slices = np.where(rng.random(shape) < self.share, 0, others)
        days = rng.standard_normal((2, windows, 1)) * DAY_SD * (self.setting != SETTINGS[0])
        truth = np.where(
            (slices == 0) | (not change.first_slice),
            self._truth(scores, days[0], change),
            self._truth(scores, days[0], NOTHING),
        )
        labels = (rng.random(shape) < truth) * 1.0
        arrived = rng.random(shape) < special.expit(special.logit(ARRIVED) + days[1])
        return Rows(scores, labels, slices, arrived, self.losses(scores, labels))

    def _truth(self, scores: Values, days: Values, change: Change) -> Values:
        """Say how probable each event is; a sure model's bad day has more errors on both sides."""
        if change.unrelated:
            return np.full_like(scores, self.points.mean())
        if self.sure:
            wrong = special.expit(special.logit(change.errors or 0.1) + days)
            return np.where(scores > 0.5, 1 - wrong, wrong)
        return special.expit(special.logit(scores) + days + change.logits)


@dataclass(frozen=True)
class Case:
    """A row of the table of delays."""

    name: str
    change: Change
    world: World


CASES = (
    *(
        Case(f"errors 10 -> {100 * errors:.0f} %", Change(errors), World(SETTINGS[0], 200, True))
        for errors in (0.13, 0.15, 0.20)
    ),
    *(
        Case(
            f"errors 10 -> 20 % in a slice of {100 * share:.0f} %",
            Change(0.20, first_slice=True),
            World(SETTINGS[0], 1000, True, share),
        )
        for share in (0.10, 0.05, 0.02)
    ),
    Case("every probability + .5 logit", Change(logits=0.5), World(SETTINGS[0], 1000, False)),
    Case("labels unrelated to the score", Change(unrelated=True), World(SETTINGS[0], 1000, False)),
)

BAD_DAYS = tuple(
    World(SETTINGS[1], rows, sure) for rows, sure in ((200, True), (1000, True), (1000, False))
)
WORLDS = (*dict.fromkeys(case.world for case in CASES), *BAD_DAYS)


class Tail:
    """Our detectors of labels, calibrated on a world's reference; and NannyML's band of losses.

    Args:
        world: what is watched.
        rng: draws the reference, then all windows.
        seed: of the calibration.

    """

    def __init__(self, world: World, rng: np.random.Generator, seed: int) -> None:
        self.world, self.rng = world, rng
        rows = world.draw(REFERENCE_WINDOWS, rng)
        kept = rows.arrived.ravel()
        times = (np.arange(rows.scores.size) * WINDOW_US // rows.scores.shape[1])[kept]
        scores, labels = rows.scores.ravel()[kept], rows.labels.ravel()[kept]
        feature = rng.standard_normal(len(scores))
        losses = rows.losses.ravel()[kept]
        slices = {"site": [f"s{one}" for one in rows.slices.ravel()[kept]]}
        baseline = fit(
            Reference(
                task="binary",
                classes=(),
                window_us=WINDOW_US,
                kinds={"x": "number"},
                importance={"x": 1.0},
                held_out=Held(times, {"x": feature}, scores, labels, losses, slices),
                past_times=times,
                past={"x": feature},
                delays_us=np.full(1000, WINDOW_US, np.int64),
                arrived=ARRIVED,
                matured=np.array([(kept.size, kept.sum()) for kept in rows.arrived]),
            ),
            promise=PROMISE,
            seed=seed,
        )
        self.watch = Watch(baseline, PROMISE)
        self.detectors = [d for d in self.watch.detectors.values() if d.reads == "outcomes"]
        means = np.array([one.mean() for one in rows.errors()])
        self.band = means.mean(), 3 * means.std()

    def quiet(self, windows: int) -> list[Quiet]:
        """Count alarms while nothing happens: of each detector, and of all of them."""
        states = [detector.fresh() for detector in self.detectors]
        alarms, beyond = np.zeros(len(self.detectors), np.int64), 0
        for window, mean in self._windows(windows):
            states, told = self._observe(states, window)
            alarms += told
            beyond += self._beyond(mean)
        counted = [(OURS, int(alarms.sum())), (NANNYML, int(beyond))]
        counted += [
            (f"{OURS}: {detector.name}", int(own))
            for detector, own in zip(self.detectors, alarms, strict=True)
        ]
        where = self.world.name, self.world.rows, windows
        return [Quiet(rule, *where, own) for rule, own in counted]

    def delays(self, case: Case, repetitions: int, horizon: int) -> list[Delay]:
        """Time the alarms of one drift; the repetitions share the quiet windows before it."""
        states = [detector.fresh() for detector in self.detectors]
        for window, _ in self._windows(WARM):
            states, _ = self._observe(states, window)
        waits = [self._wait(states, case.change, horizon) for _ in range(repetitions)]
        beyond = [self._beyond(mean) for _, mean in self._windows(PART, case.change)]
        where = self.world.name, self.world.rows, case.name
        chances = [float(np.mean(beyond))] * repetitions
        return [
            Delay(OURS, *where, waits),
            memoryless((NANNYML, *where), chances, self.rng),
        ]

    def _beyond(self, mean: float) -> bool:
        middle, spread = self.band
        return abs(mean - middle) > spread

    def _wait(self, states: Sequence[object], change: Change, horizon: int) -> float:
        later = self._windows(horizon, change, part=8, start=WARM)
        for number, (window, _) in enumerate(later, 1):
            states, told = self._observe(states, window)
            if told.any():
                return float(number)
        return np.inf

    def _windows(
        self, windows: int, change: Change = NOTHING, part: int = PART, start: int = 0
    ) -> Iterator[tuple[Outcomes, float]]:
        """Count windows, with each one's mean loss."""
        cells, losses_of = self.watch.outcomes, self.watch.outcomes.loss_width
        for begin in range(0, windows, part):
            rows = self.world.draw(min(part, windows - begin), self.rng, change)
            shape = rows.scores.shape
            lost = cells.losses(rows.losses.ravel()).reshape(shape)
            residual = cells.residuals(rows.scores.ravel(), rows.labels.ravel()).reshape(shape)
            for place, kept in enumerate(rows.arrived):
                at = (start + begin + place) * WINDOW_US
                own, slices = lost[place, kept], rows.slices[place, kept]
                by_slice = np.bincount(slices * losses_of + own, minlength=SLICES * losses_of)
                yield (
                    Outcomes(
                        at,
                        at + WINDOW_US,
                        kept.size,
                        int(kept.sum()),
                        np.bincount(own, minlength=losses_of),
                        np.bincount(residual[place, kept], minlength=cells.residual_width),
                        {
                            ("site", f"s{number}"): counts
                            for number, counts in enumerate(by_slice.reshape(SLICES, losses_of))
                        },
                    ),
                    float(rows.losses[place, kept].mean()),
                )

    def _observe(
        self, states: Sequence[object], window: Outcomes
    ) -> tuple[list[object], NDArray[np.int64]]:
        after, told = [], []
        for detector, state in zip(self.detectors, states, strict=True):
            state, verdict = detector.observe(state, window)
            after.append(state)
            told.append(verdict is not None and verdict.alarm)
        return after, np.array(told)

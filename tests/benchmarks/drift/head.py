"""The features' part of the study: which streams, which drifts, and how ours fares in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import special, stats

from shared.drift.fitting import Held, Reference, fit
from shared.drift.watch import Detector, Watch
from shared.drift.windows import Inputs
from tests.benchmarks.drift.columns import QUANTILES, Column, Move, Values, twenty_five
from tests.benchmarks.drift.effort import SIZES
from tests.benchmarks.drift.judging import OURS, Delay, Quiet
from tests.benchmarks.drift.streams import Counted, Counts, Drift, Stream

PROMISE = 1000
REFERENCE_WINDOWS = 100
WINDOW_US = 3_600_000_000
ARRIVED = 0.97
WARM = 48  # quiet windows before a drift

FEATURES = twenty_five()
NUMBERS = [place for place, column in enumerate(FEATURES) if column.kind == "number"]
CATEGORIES = [place for place, column in enumerate(FEATURES) if column.kind == "category"]


def score() -> Column:
    """Lay out the model's score: probabilities with a median of .27."""
    latent = np.asarray(stats.norm(-1.0).ppf(QUANTILES), np.float64)
    return Column("score", "number", latent, special.expit)


COLUMNS = (*FEATURES, score())


@dataclass(frozen=True)
class Case:
    """A row of the table of delays.

    Attributes:
        name: as it is shown.
        move: what happens.
        kind: of the features that move.
        many: how many of them do.
        settings: where, with the sizes of window.

    """

    name: str
    move: Move
    kind: str
    many: int
    settings: Sequence[tuple[str, Sequence[int]]]

    def drift(self, repetition: int) -> Drift:
        """Choose what moves; the shapes take turns."""
        candidates = NUMBERS if self.kind == "number" else CATEGORIES[1:]
        first = repetition * self.many
        return Drift(
            self.move,
            tuple(candidates[(first + one) % len(candidates)] for one in range(self.many)),
        )


ALL = (("i.i.d.", SIZES),)
CASES = (
    Case("mean +.25 sd", Move("mean", 0.25), "number", 1, (*ALL, ("seasonal", SIZES))),
    Case("mean +.25 sd in 5 of 25", Move("mean", 0.25), "number", 5, (("i.i.d.", (1000,)),)),
    Case("sd x 1.25", Move("sd", 1.25), "number", 1, ALL),
    Case("category, 5 pp moved", Move("transfer", 0.05), "category", 1, ALL),
    Case("category unseen, 1 %", Move("unseen", 0.01), "category", 1, ALL),
    Case("null, 5 %", Move("null", 0.05), "number", 1, ALL),
    Case("mean +.10 sd", Move("mean", 0.10), "number", 1, ALL),
    Case("mean +.03 sd, tolerated", Move("mean", 0.03), "number", 1, ALL),
    Case("mean +.50 sd", Move("mean", 0.50), "number", 1, (("autocorrelated", (1000,)),)),
)


def cases(setting: str, rows: int) -> list[Case]:
    """Find the drifts that are tried in a setting, at a size of window."""
    return [case for case in CASES if any(setting == s and rows in n for s, n in case.settings)]


def reference(stream: Stream, rng: np.random.Generator) -> list[Values]:
    """Draw the rows before the study: REFERENCE_WINDOWS windows of every column, in order."""
    levels = stream.levels(REFERENCE_WINDOWS, rng, -REFERENCE_WINDOWS)
    parts = list(stream.values(levels, rng))
    return [np.concatenate(column).ravel() for column in zip(*parts, strict=True)]


class Head:
    """Our detectors of inputs, calibrated on a stream's reference.

    Args:
        stream: of COLUMNS.
        rng: draws the reference, then all windows.
        seed: of the calibration.

    """

    def __init__(self, stream: Stream, rng: np.random.Generator, seed: int) -> None:
        self.stream, self.rng = stream, rng
        columns = reference(stream, rng)
        scores = columns[-1].astype(np.float64)
        labels = (rng.random(len(scores)) < scores).astype(np.float64)
        features = {
            column.name: as_column(values)
            for column, values in zip(FEATURES, columns, strict=False)
        }
        times = np.arange(len(scores)) * WINDOW_US // stream.rows
        baseline = fit(
            Reference(
                task="binary",
                classes=(),
                window_us=WINDOW_US,
                kinds={column.name: column.kind for column in FEATURES},
                importance={column.name: 1 / len(FEATURES) for column in FEATURES},
                held_out=Held(times, features, scores, labels, (scores - labels) ** 2, {}),
                past_times=times,
                past=features,
                delays_us=np.full(1000, WINDOW_US, np.int64),
                arrived=ARRIVED,
            ),
            promise=PROMISE,
            seed=seed,
        )
        self.watch = Watch(baseline, PROMISE)
        self.detectors: Sequence[Detector] = [
            one for one in self.watch.detectors.values() if one.reads == "inputs"
        ]
        inputs = self.watch.inputs
        self.counted = Counted(
            stream,
            lambda points: inputs.places(
                [as_column(values) for values in points[:-1]], points[-1].astype(np.float64)
            ),
            inputs.width,
        )

    def quiet(self, windows: int) -> list[Quiet]:
        """Count alarms while nothing happens: of each detector, and of all of them."""
        states = [detector.fresh() for detector in self.detectors]
        alarms = np.zeros(len(self.detectors), np.int64)
        for window in self._windows(self.stream.levels(windows, self.rng), 0):
            states, told = self._observe(states, window)
            alarms += told
        setting, rows = self.stream.setting, self.stream.rows
        each = [
            Quiet(f"{OURS}: {detector.name}", setting, rows, windows, int(own))
            for detector, own in zip(self.detectors, alarms, strict=True)
        ]
        return [Quiet(OURS, setting, rows, windows, int(alarms.sum())), *each]

    def delays(self, repetitions: int, horizon: int, first: int) -> list[Delay]:
        """Time the alarms of each drift of this setting.

        Args:
            repetitions: of each drift; they share the quiet windows before it.
            horizon: windows after which it counts as not noticed.
            first: number of the first repetition, so that shapes take turns.

        """
        levels = self.stream.levels(WARM + horizon, self.rng)
        states = [detector.fresh() for detector in self.detectors]
        for window in self._windows(levels[:WARM], 0):
            states, _ = self._observe(states, window)
        setting, rows = self.stream.setting, self.stream.rows
        found = []
        for case in cases(setting, rows):
            waits = [
                self._wait(states, self._later(horizon), case.drift(first + repetition))
                for repetition in range(repetitions)
            ]
            found.append(Delay(OURS, setting, rows, case.name, waits))
        return found

    def _later(self, horizon: int) -> Counts:
        return self.stream.levels(horizon, self.rng, WARM)

    def _wait(self, states: Sequence[object], levels: Counts, drift: Drift) -> float:
        """Count windows until any detector alarms; inf: none did."""
        for number, window in enumerate(self._windows(levels, WARM, drift), 1):
            states, told = self._observe(states, window)
            if told.any():
                return float(number)
        return np.inf

    def _windows(self, levels: Counts, start: int, drift: Drift | None = None) -> Iterable[Inputs]:
        size = 8 if drift else 500
        for begin, end in pairwise([*range(0, len(levels), size), len(levels)]):
            for place, counts in enumerate(self.counted.draw(levels[begin:end], self.rng, drift)):
                at = (start + begin + place) * WINDOW_US
                yield Inputs(at, at + WINDOW_US, self.stream.rows, 0, counts)

    def _observe(self, states: Sequence[object], window: Inputs) -> tuple[list[object], Counts]:
        after, told = [], []
        for detector, state in zip(self.detectors, states, strict=True):
            state, verdict = detector.observe(state, window)
            after.append(state)
            told.append(verdict is not None and verdict.alarm)
        return after, np.array(told)


def as_column(values: Values) -> Values | list[str | None]:
    """Spell a column as the detectors take it."""
    if values.dtype != object:
        return values.astype(np.float64)
    return [None if isinstance(value, float) else str(value) for value in values]

"""What monitor would have said about the windows of a champion."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from services.training.run.backtest.alarms import Alarm
from services.training.run.backtest.candidates import Candidate
from services.training.run.backtest.history import History, Span
from shared.drift.standing import Finding, Standing
from shared.drift.verdicts import State
from shared.drift.watch import Watch
from shared.drift.windows import LEAST_ROWS, Counts, Inputs, Outcomes
from shared.losses import losses


@dataclass
class Champion:
    """A version that decides.

    Attributes:
        since: when it took over, microseconds.
        learned: labels at hand when its run was decided.
        watch: None for the prior.
        cooldown: within which an alarm is not repeated, microseconds.

    """

    version: str
    candidate: Candidate
    since: int
    learned: int = 0
    watch: Watch | None = None
    cooldown: int = 0
    states: dict[str, State] = field(default_factory=dict)
    waiting: Inputs | None = None

    def inputs(self, history: History, start: int, end: int) -> Inputs | None:
        """Count a window at the head of the stream; None if this version saw nothing of it."""
        part = history.between(max(start, self.since), end)
        n, total = part.stop - part.start, history.between(start, end)
        if self.watch is None or n <= 0:
            return None
        columns = [column[part] for column in history.columns.values()]
        places = self.watch.inputs.places(columns, self.candidate.scores(history, part))
        counts = self.watch.inputs.counts(places, np.zeros(n, dtype=np.intp), 1)[0]
        return Inputs(start, end, n, 0, counts, total.stop - total.start)

    def outcomes(self, history: History, start: int, end: int, at: int) -> Outcomes | None:
        """Count a window of matured outcomes, with the labels that could be read at `at`."""
        part = history.between(max(start, self.since), end)
        n = part.stop - part.start
        if self.watch is None or n <= 0:
            return None
        known = history.labelled[part] & (history.known[part] <= at)
        scores, labels = self.candidate.scores(history, part)[known], history.labels[part][known]
        cells, metric = self.watch.outcomes, history.rows.declaration.spec.metric or ""
        places = cells.losses(losses(metric, scores, labels))
        return Outcomes(
            start,
            end,
            n,
            int(known.sum()),
            np.bincount(places, minlength=cells.loss_width),
            _counted(cells.residuals(scores, labels), cells.residual_width),
            {
                (one.feature, one.value): np.bincount(
                    places[history.slices[one.feature][part][known] == one.value],
                    minlength=cells.loss_width,
                )
                for one in self.watch.baseline.slices
            },
        )

    def observed(self, window: Inputs | Outcomes, at: int, standing: Standing) -> Iterator[Alarm]:
        """Run the detectors over a window; what they find is noted in `standing`."""
        assert self.watch is not None
        reads = "inputs" if isinstance(window, Inputs) else "outcomes"
        for name, detector in self.watch.detectors.items():
            if detector.reads != reads:
                continue
            before = self.states.get(name) or detector.fresh()
            self.states[name], verdict = detector.observe(before, window)
            if verdict is None:
                continue
            if not verdict.alarm:
                standing.calm(verdict, window.start)
                continue
            finding = standing.alarm(verdict, cooldown=self.cooldown)
            if finding is not None:
                yield self._told(finding, (window.start, window.end), at)

    def _told(self, finding: Finding, window: Span, at: int) -> Alarm:
        verdict = finding.verdict
        return Alarm(
            at=at,
            window=window,
            detector=verdict.detector,
            version=self.version,
            since=verdict.since,
            kind=finding.kind,
            evidence=verdict.evidence,
            level=verdict.level,
            blamed=finding.blamed,
            contributions=verdict.contributions,
            summary=verdict.summary,
        )

    def unstable(self, window: Inputs, at: int, threshold: float) -> Iterator[Alarm]:
        """Tell whether the population stability index of any feature is above a threshold.

        Windows of too few rows are added to the next, as for the detectors.
        """
        assert self.watch is not None
        before, self.waiting = self.waiting, None
        if before is not None:
            window = Inputs(
                before.start, window.end, before.n + window.n, 0, before.counts + window.counts
            )
        if window.n < LEAST_ROWS:
            self.waiting = window
            return
        shown = self.watch.shown(window)
        moved = {
            one.name: shown[one.name].psi
            for one in self.watch.baseline.features
            if shown[one.name].psi > threshold
        }
        if moved:
            blamed = tuple(sorted(moved, key=lambda name: -moved[name]))
            yield Alarm(
                at=at,
                window=(window.start, window.end),
                detector="psi",
                version=self.version,
                since=window.start,
                kind="retrain",
                evidence=moved[blamed[0]],
                level=threshold,
                blamed=blamed,
                summary=f"psi: {blamed[0]} {moved[blamed[0]]:.2f}, {len(blamed)} of them",
            )


def _counted(places: NDArray[np.intp], width: int) -> Counts:
    return np.bincount(places[places >= 0].ravel(), minlength=width)

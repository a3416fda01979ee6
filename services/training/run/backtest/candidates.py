"""Candidates by what they learned from: policies that pin the same rows share a fit."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from contracts.declaration import Declaration, Drift, Gates
from contracts.training import Evaluation
from services.training.domain.split import split
from services.training.run.backtest.history import History, Span
from services.training.run.baseline import build
from services.training.run.dataset import Rows
from services.training.run.evaluation import evaluate
from services.training.run.search import Report, search
from shared.drift.baseline import Baseline
from shared.drift.watch import Watch
from shared.models import Model, Prior, Scores, load


@dataclass(frozen=True, slots=True)
class Pin:
    """What a candidate may learn from.

    Attributes:
        until: event time, exclusive.
        at: when it was decided; what was not known by then is not there.
        since: change point.
        excluded: event times that are left out.

    """

    until: int
    at: int
    since: int | None = None
    excluded: tuple[Span, ...] = ()


@dataclass(frozen=True)
class Candidate:
    """A fitted model; the declared prior is one that learned from nothing.

    Attributes:
        test: rows that it has not seen.
        trained_at: event time of the last row that it has learned from, microseconds.
        seed: of everything random about it, from the digest of its rows.

    """

    pin: Pin | None
    model: Model
    algorithm: str = "prior"
    rows: int = 0
    test: Rows | None = None
    trained_at: int | None = None
    seed: int = 0
    _scores: dict[tuple[int, int], Scores] = field(default_factory=dict, repr=False)

    def scores(self, history: History, part: slice) -> Scores:
        """Score a stretch of the stream; the same stretch is scored once."""
        key = part.start, part.stop
        if key not in self._scores:
            rows = Rows(
                history.rows.declaration,
                history.rows.table.slice(part.start, part.stop - part.start),
            )
            columns = self.model.columns
            matrix = np.empty((len(rows), 0)) if columns is None else rows.matrix(columns)
            self._scores[key] = self.model.scores(matrix)
        return self._scores[key]


class Candidates:
    """Fits, judges and describes candidates.

    Args:
        history: the stream.
        threads: for LightGBM.
        report: hears of every trial.

    """

    def __init__(self, history: History, threads: int, report: Report) -> None:
        self.history, self.threads, self.report = history, threads, report
        self._fitted: dict[Pin, Candidate | str] = {}
        self._watches: dict[tuple[Pin, Drift], Watch | None] = {}
        prior = history.rows.declaration.spec.prior
        assert prior is not None
        self.prior = Candidate(None, Prior(prior))

    def fitted(self, pin: Pin) -> Candidate:
        """Carry out a run.

        Raises:
            ValueError: the rows do not suffice.

        """
        if pin not in self._fitted:
            try:
                self._fitted[pin] = self._fit(pin)
            except ValueError as error:
                self._fitted[pin] = str(error)
        found = self._fitted[pin]
        if isinstance(found, str):
            raise ValueError(found)
        return found

    def compared(self, candidate: Candidate, champion: Candidate, version: str) -> Evaluation:
        """Measure a candidate beside the champion on rows that neither has seen."""
        assert candidate.test is not None
        return evaluate(candidate.test, candidate.model, champion.model, version, candidate.seed)

    def watch(self, candidate: Candidate, declaration: Declaration) -> Watch | None:
        """Make ready what watches a candidate once it decides; None if its rows do not suffice."""
        if candidate.pin is None or candidate.test is None:
            return None
        key = candidate.pin, declaration.spec.drift
        if key not in self._watches:
            pin = candidate.pin
            events = self.history.pinned(declaration, pin.until, pin.at, pin.excluded)
            held_out = Rows(declaration, candidate.test.table)
            built = build(candidate.model, held_out, events, candidate.seed)
            promise = declaration.spec.drift.false_alarms
            self._watches[key] = (
                Watch(Baseline.from_bytes(built.document), promise) if built.document else None
            )
        return self._watches[key]

    def _fit(self, pin: Pin) -> Candidate:
        declaration = self.history.rows.declaration
        rows = self.history.pinned(declaration, pin.until, pin.at, pin.excluded).labelled()
        if not len(rows):
            raise ValueError("no labelled row could be read by then")
        least = declaration.spec.gates.slice_rows
        parts = split(rows.times, rows.label_times, least, pin.since)
        found = search(
            *map(rows.take, (parts.fit, parts.selection, parts.learnable)),
            threads=self.threads,
            report=self.report,
            since=pin.since,
        )
        test = rows.take(parts.test)
        return Candidate(
            pin=pin,
            model=load(found.files),
            algorithm=found.recipe.algorithm,
            rows=len(rows),
            test=test,
            trained_at=int(test.times[0]),
            seed=int(rows.digest()[:16], 16),
        )


def refusal(evaluation: Evaluation, gates: Gates) -> str | None:
    """Say why the gate would refuse a candidate; None if it would pass.

    The registry's rule, which a service keeps for itself: enough pinned rows, better than the
    declared prior, shown better than the champion, and no slice shown to lose more than its margin.
    """
    against = f"{evaluation.metric} {evaluation.candidate_loss:.4f} against"
    bound = evaluation.difference
    if evaluation.rows < gates.slice_rows:
        return f"{evaluation.rows:,} pinned rows, {gates.slice_rows:,} are needed"
    if evaluation.candidate_loss >= evaluation.prior_loss:
        return f"does not beat the declared prior: {against} {evaluation.prior_loss:.4f}"
    if bound.high >= 0:
        return (
            f"not shown better than {evaluation.champion_version}: {against} "
            f"{evaluation.champion_loss:.4f}, difference {bound.mean:+.4f} "
            f"[{bound.low:+.4f}, {bound.high:+.4f}]"
        )
    for part in evaluation.slices:
        margin = gates.slice_margin * part.champion_loss
        if part.rows >= gates.slice_rows and part.difference.low > margin:
            return f"slice {part.feature}={part.value} loses more than {margin:.4f}"
    return None


def measured(evaluation: Evaluation) -> dict[str, float]:
    """Pick what a reader wants to see of an evaluation."""
    bound = evaluation.difference
    return {
        "pinned_rows": evaluation.rows,
        "candidate": evaluation.candidate_loss,
        "champion": evaluation.champion_loss,
        "prior": evaluation.prior_loss,
        "difference": bound.mean,
        "low": bound.low,
        "high": bound.high,
    }

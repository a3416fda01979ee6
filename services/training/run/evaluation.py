"""Candidate, champion and prior on the same pinned rows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from contracts.training import Evaluation, Interval, SliceEvaluation
from services.training.domain.comparison import Blocks, blocks_of, difference
from services.training.domain.table import PREFIX
from services.training.run.dataset import Rows
from shared.losses import losses
from shared.models import Model, Prior

SMALLEST_SLICE = 30
MOST_SLICES = 1000

Vector = NDArray[np.float64]


def evaluate(test: Rows, candidate: Model, champion: Model, version: str, seed: int) -> Evaluation:
    """Measure on rows that neither model was fitted on.

    Args:
        test: the pinned rows.
        candidate: the new model.
        champion: the one that decides now.
        version: of the champion.
        seed: of the bootstrap; derived from the data set, so that the interval is too.

    """
    spec = test.declaration.spec
    metric = spec.metric or ""
    scores = candidate.score(test.features)
    of_candidate = losses(metric, scores, test.labels)
    of_champion = losses(metric, champion.score(test.features), test.labels)
    assert spec.prior is not None
    of_prior = losses(metric, Prior(spec.prior).score(test.features), test.labels)
    pair = _Pair(of_candidate, of_champion, blocks_of(test.times), spec.gates.confidence, seed)
    predicted, observed = _calibration(spec.task, scores, test.labels)
    return Evaluation(
        metric=metric,
        rows=len(test),
        start=moment(test.times[0]),
        end=moment(test.times[-1]),
        digest=_digest(test),
        candidate_loss=float(of_candidate.mean()),
        champion_version=version,
        champion_loss=float(of_champion.mean()),
        prior_loss=float(of_prior.mean()),
        difference=pair.interval(np.ones(len(test), dtype=bool)),
        predicted=predicted,
        observed=observed,
        loss_sd=float(of_candidate.std()),
        slices=tuple(pair.slice(*part) for part in _slices(test)),
    )


@dataclass(frozen=True, slots=True)
class _Pair:
    """The losses of both models, row by row."""

    candidate: Vector
    champion: Vector
    blocks: Blocks
    confidence: float
    seed: int

    def interval(self, chosen: NDArray[np.bool_]) -> Interval:
        deltas = self.candidate[chosen] - self.champion[chosen]
        bounds = difference(deltas, self.blocks[chosen], self.confidence, self.seed)
        return Interval(
            mean=bounds.mean, low=bounds.low, high=bounds.high, confidence=bounds.confidence
        )

    def slice(self, feature: str, value: str, chosen: NDArray[np.bool_]) -> SliceEvaluation:
        return SliceEvaluation(
            feature=feature,
            value=value,
            rows=int(chosen.sum()),
            candidate_loss=float(self.candidate[chosen].mean()),
            champion_loss=float(self.champion[chosen].mean()),
            difference=self.interval(chosen),
        )


def moment(microseconds: int) -> datetime:
    """Turn microseconds since 1970 into a time in UTC."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(microseconds))


def _slices(test: Rows) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
    """Cut by every declared slice; the largest 1,000 of at least 30 rows."""
    columns = {
        feature: test.table[PREFIX + feature].cast(pa.string())
        for feature in test.declaration.spec.slices
    }
    sizes = sorted(
        (-pair["counts"], feature, pair["values"])
        for feature, column in columns.items()
        for pair in pc.value_counts(column.drop_null()).to_pylist()
        if pair["counts"] >= SMALLEST_SLICE
    )
    for _, feature, value in sizes[:MOST_SLICES]:
        chosen = pc.equal(columns[feature], value)
        yield feature, value, pc.fill_null(chosen, False).to_numpy()


def _calibration(task: str, scores: Vector, labels: Vector) -> tuple[float, float]:
    """Average score and label; with classes the top probability, and how often it was right."""
    if task == "multiclass":
        return float(scores.max(axis=1).mean()), float((scores.argmax(axis=1) == labels).mean())
    return float(scores.mean()), float(labels.mean())


def _digest(test: Rows) -> str:
    content = hashlib.sha256(test.labels.tobytes())
    for event_id in test.ids:
        content.update(f"{len(event_id)}:{event_id}".encode())
    return content.hexdigest()

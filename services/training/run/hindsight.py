"""What a model trained once would have brought since: for reports, never for decisions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import AwareDatetime, BaseModel, ConfigDict

from contracts.declaration import Cost, Declaration
from services.training.domain.split import halves
from services.training.run.dataset import Rows, microseconds, read
from services.training.run.search import Report, search
from shared.losses import costs, losses
from shared.models import Prior, load

Scores = NDArray[np.float64]


class RowsWanted(BaseModel):
    """A model's table; `version` None is the newest."""

    uri: str
    version: int | None = None


class Hindsight(BaseModel):
    """Train on labels known before one time, score the events of later times.

    Attributes:
        declaration: as an object, or the path of its YAML file.
        score_until: exclusive; None for no end.
        out: where the answer is written.

    """

    model_config = ConfigDict(frozen=True)

    declaration: Declaration | Path
    rows: RowsWanted
    train_before: AwareDatetime
    score_from: AwareDatetime
    score_until: AwareDatetime | None = None
    out: Path


def look_back(
    question: Hindsight, declaration: Declaration, *, threads: int, report: Report
) -> dict[str, Any]:
    """Answer with mean loss and cost of the once trained model, of the prior and as served.

    Raises:
        ValueError: there are no rows to train on, or none to score.

    """
    uri, version = question.rows.uri, question.rows.version
    stored = read(uri, version, declaration).labelled()
    known = stored.take(np.flatnonzero(stored.label_times < microseconds(question.train_before)))
    if not len(known):
        raise ValueError(f"no label was known before {question.train_before}")
    fit, selection = halves(known.times, known.label_times)
    found = search(known.take(fit), known.take(selection), known, threads=threads, report=report)
    model = load(found.files)
    rows = _between(stored, question)
    prior = declaration.spec.prior
    assert prior is not None
    return {
        "metric": declaration.spec.metric,
        "rows": len(rows),
        "trained_rows": len(known),
        "algorithm": found.recipe.algorithm,
        **_measured(rows, lambda part: model.score(part.features)),
        "prior": _measured(rows, lambda part: Prior(prior).score(part.ids)),  # type: ignore[arg-type]
        "served": _measured(rows, Rows.served),
    }


def _between(rows: Rows, question: Hindsight) -> Rows:
    start = np.searchsorted(rows.times, microseconds(question.score_from))
    end = len(rows)
    if question.score_until is not None:
        end = int(np.searchsorted(rows.times, microseconds(question.score_until)))
    if end <= start:
        raise ValueError(f"no labelled event from {question.score_from} on")
    return rows.take(np.arange(start, end))


def _measured(rows: Rows, score: Callable[[Rows], Scores]) -> dict[str, float]:
    """Average loss, and cost where a decision has one."""
    spec, price = rows.declaration.spec, rows.declaration.spec.cost or Cost()
    loss, cost = 0.0, 0.0
    for part in rows.chunks():
        scores = score(part)
        loss += float(losses(spec.metric or "", scores, part.labels).sum())
        if spec.task == "binary":
            threshold = rows.declaration.threshold
            priced = costs(
                scores, part.labels, threshold, price.false_negative, price.false_positive
            )
            cost += float(priced.sum())
    means = {str(spec.metric): loss / len(rows)}
    return means | ({"cost": cost / len(rows)} if spec.task == "binary" else {})

"""What the loss would be if the truth still stood to the score as it did: shown, never acted on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shared.drift.baseline import Baseline
from shared.drift.readings import UNIMPORTANT
from shared.drift.streams import Integers
from shared.drift.windows import LEAST_ROWS

MOST_STRANGE = 0.01


@dataclass(frozen=True, slots=True)
class Estimate:
    """An estimate of the mean loss without labels.

    Attributes:
        loss: in the unit of the metric; None without rows.
        valid: it may be believed as far as the reference's calibration goes.
        reasons: why not.

    """

    loss: float | None
    valid: bool
    reasons: tuple[str, ...]


def estimated_loss(
    baseline: Baseline, starts: list[int], counts: Integers, rows: int, *, doubted: bool
) -> Estimate:
    """Weight the reference's loss in each cell of the score by the rows that are there now.

    sum_k c_k l_k / n assumes that labels still follow the score, which is doubtful where features
    lie beyond what the reference saw, and wrong once a detector has found the contrary.

    Args:
        baseline: of the version.
        starts: of each feature and score column in `counts`.
        counts: (width,) of a window.
        rows: of it.
        doubted: an alarm on loss, calibration or a slice of this version is open.

    """
    first = starts[len(baseline.features)]
    scores = counts[first : first + baseline.scores[0].cells.width]
    n = int(scores.sum())
    loss = float(scores @ np.array(baseline.expected_loss)) / n if n else None
    reasons = _strangers(baseline, starts, counts, rows)
    if rows < LEAST_ROWS:
        reasons.append(f"only {rows} rows, at least {LEAST_ROWS} are needed")
    if doubted:
        reasons.append("labels have shown that scores no longer mean what they meant")
    return Estimate(loss, not reasons, tuple(reasons))


def _strangers(baseline: Baseline, starts: list[int], counts: Integers, rows: int) -> list[str]:
    """Name what lies beyond the reference in too many rows: used features, and scores."""
    known = any(one.importance > 0 for one in baseline.features)
    reasons = []
    for one, start in zip((*baseline.features, *baseline.scores), starts, strict=True):
        if known and one in baseline.features and one.importance < UNIMPORTANT:
            continue
        strange = [start + cell for cell in (*one.cells.strange, *one.cells.nonfinite)]
        share = float(counts[strange].sum()) / max(rows, 1)
        if share > MOST_STRANGE:
            reasons.append(f"{one.name}: {share:.1%} of rows are beyond what the reference saw")
    return reasons

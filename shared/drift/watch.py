"""What watches one model version: its cells, its detectors, its estimate."""

from __future__ import annotations

from collections.abc import Mapping

from shared.drift.baseline import Baseline
from shared.drift.counting import InputCells, OutcomeCells
from shared.drift.detectors import EDetector
from shared.drift.display import Shown, shown
from shared.drift.estimate import Estimate, estimated_loss
from shared.drift.readings import READINGS
from shared.drift.verdicts import Detector
from shared.drift.windows import Inputs


class Watch:
    """Everything that counts and judges windows of one model version.

    Building solves all tilts: up to a second of computing.

    Args:
        baseline: of the version.
        promise: at most one false alarm in so many windows, for all detectors together.

    """

    def __init__(self, baseline: Baseline, promise: int) -> None:
        self.baseline = baseline
        self.inputs = input_cells(baseline)
        self.outcomes = outcome_cells(baseline)
        level = float(promise * len(READINGS))
        self.detectors: Mapping[str, Detector] = {
            name: EDetector(
                name, reading(baseline, baseline.factors[name]), level, baseline.window_us
            )
            for name, reading in READINGS.items()
        }

    def estimate(self, window: Inputs, *, doubted: bool) -> Estimate:
        """Estimate the mean loss of a window without labels.

        Args:
            window: of this version.
            doubted: an alarm on loss, calibration or a slice of this version is open.

        """
        return estimated_loss(
            self.baseline, self.inputs.starts, window.counts, window.n, doubted=doubted
        )

    def shown(self, window: Inputs) -> Mapping[str, Shown]:
        """Compare each feature and score of a window with the reference, for display only."""
        columns = (*self.baseline.features, *self.baseline.scores)
        return {
            one.name: shown(one, window.counts[start : start + one.cells.width])
            for one, start in zip(columns, self.inputs.starts, strict=True)
        }


def input_cells(baseline: Baseline) -> InputCells:
    """Cells of the features and scores of a baseline."""
    return InputCells(
        [one.cells for one in baseline.features],
        [one.cells for one in baseline.scores],
        baseline.task,
        baseline.classes,
    )


def outcome_cells(baseline: Baseline) -> OutcomeCells:
    """Cells of the losses and residuals of a baseline."""
    pairs = [(pair.score_edges, pair.edges) for pair in baseline.residuals]
    return OutcomeCells(baseline.losses.edges, pairs, baseline.task, baseline.classes)

"""The document that travels with a model version: what its world looked like when it was made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec
import numpy as np
from msgspec import Struct

from shared.drift.cells import CategoryCells, NumberCells
from shared.drift.streams import Floats

Task: TypeAlias = Literal["binary", "multiclass", "regression"]

FORMAT = 1
LEAST_TOLERANCE = 0.05
LEAST_MEAN_TOLERANCE = 0.02
LARGEST_TOLERANCE = 0.5
NEVER = 1e3


class Watched(Struct, frozen=True):
    """A feature or a column of the score.

    Attributes:
        name: of the feature, or of the score's column.
        cells: where its values are counted.
        counts: reference rows in each.
        importance: share of the model's attention; 0 for a score.

    """

    name: str
    cells: NumberCells | CategoryCells
    counts: tuple[int, ...]
    importance: float = 0.0


class Losses(Struct, frozen=True):
    """Reference losses.

    Attributes:
        edges: between the cells.
        values: mean loss in each; the last, beyond the reference's maximum, has a value twice as
            far from the mean.
        counts: reference rows in each.

    """

    edges: tuple[float, ...]
    values: tuple[float, ...]
    counts: tuple[int, ...]


class Slice(Struct, frozen=True):
    """Reference losses where a feature has one value."""

    feature: str
    value: str
    counts: tuple[int, ...]

    @property
    def what(self) -> str:
        """Name it as a contribution does."""
        return f"slice:{self.feature}={self.value}"


class Residuals(Struct, frozen=True):
    """Reference rows by score and by what came of it.

    Attributes:
        name: empty, or the class that stands against the others.
        score_edges: between the rows of cells.
        edges: between the cells of a row: of the label, or of label minus score.
        values: of each cell: the label, or the mean residual in it.
        counts: reference rows, row after row.

    """

    name: str
    score_edges: tuple[float, ...]
    edges: tuple[float, ...]
    values: tuple[float, ...]
    counts: tuple[int, ...]


class Variation(Struct, frozen=True):
    """How much a family of streams varies by itself, in standard deviations, stream by stream.

    Attributes:
        tau: from window to window, beyond chance; an upper bound.
        swing: what tau comes to over many windows that remember each other, tau sqrt((1 + rho) /
            (1 - rho)) with the correlation rho of neighbours.
        error: standard error of the reference's own mean.

    """

    tau: tuple[float, ...]
    swing: tuple[float, ...]
    error: tuple[float, ...]

    def tolerances(self, factor: float, least: float = LEAST_TOLERANCE) -> Floats:
        """Compute max(least, factor tau + 2 error).

        As long as the reference's own error lies within the tolerance, it raises no alarm where
        nothing has changed.
        """
        return np.maximum(least, factor * np.array(self.tau) + 2.0 * np.array(self.error))


class Volume(Struct, frozen=True):
    """Logarithm of the rows per window: median and spread over whole reference windows."""

    centre: float
    spread: float


class Baseline(Struct, frozen=True):
    """Everything the detectors of one model version know.

    Attributes:
        format: of this document.
        task: of the model.
        classes: of a multiclass model.
        window_us: length of a window.
        promise: windows per false alarm that the factors were calibrated for.
        n: held-out rows.
        reference_windows: held-out windows, past windows.
        features: in the order of the declaration.
        scores: columns of the score.
        losses: of the held-out rows.
        expected_loss: mean loss in each cell of the first score column, for the estimate.
        slices: with enough rows to be watched.
        residuals: one, or one per class.
        variation: inputs, support, quality, loss, calibration, slices, labels -> how they vary.
        factors: detector -> how many times the natural variation it tolerates.
        volume: None if there were too few whole windows.
        arrived: share of labels there at maturity.
        delays_us: 50, 90, 95 and 99 % quantiles of the time to the label.
        unmonitorable: what is not watched, and why.

    """

    task: Task
    classes: tuple[str, ...]
    window_us: int
    promise: int
    n: int
    reference_windows: tuple[int, int]
    features: tuple[Watched, ...]
    scores: tuple[Watched, ...]
    losses: Losses
    expected_loss: tuple[float, ...]
    slices: tuple[Slice, ...]
    residuals: tuple[Residuals, ...]
    variation: Mapping[str, Variation]
    factors: Mapping[str, float]
    volume: Volume | None
    arrived: float
    delays_us: tuple[int, ...]
    unmonitorable: tuple[str, ...]
    format: int = FORMAT

    def to_bytes(self) -> bytes:
        """Write canonical JSON: the same baseline, the same bytes."""
        return msgspec.json.encode(self, order="deterministic")

    @classmethod
    def from_bytes(cls, data: bytes) -> Baseline:
        """Read what `to_bytes` wrote.

        Raises:
            ValueError: not JSON, not a baseline, of another format, or its parts do not fit.

        """
        try:
            baseline = msgspec.json.decode(data, type=cls)
        except msgspec.DecodeError as error:
            raise ValueError(f"not a drift baseline: {error}") from error
        if baseline.format != FORMAT:
            raise ValueError(f"drift baseline of format {baseline.format}, expected {FORMAT}")
        baseline.check()
        return baseline

    def check(self) -> None:
        """Check that counts fit their cells.

        Raises:
            ValueError: they do not.

        """
        for watched in (*self.features, *self.scores):
            _fit(f"{watched.name}: counts", len(watched.counts), watched.cells.width)
        width = len(self.losses.edges) + 1
        _fit("losses: counts", len(self.losses.counts), width)
        _fit("losses: values", len(self.losses.values), width)
        _fit("expected losses", len(self.expected_loss), self.scores[0].cells.width)
        for one in self.slices:
            _fit(f"{one.what}: counts", len(one.counts), width)
        for pair in self.residuals:
            columns = len(pair.edges) + 1
            _fit(f"residuals {pair.name}: values", len(pair.values), columns)
            _fit("residuals: counts", len(pair.counts), (len(pair.score_edges) + 1) * columns)


def _fit(what: str, got: int, expected: int) -> None:
    if got != expected:
        raise ValueError(f"drift baseline: {what} have {got} cells, expected {expected}")

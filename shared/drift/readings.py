"""What each detector reads of a window, and what it bets on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, compress
from typing import Any, Literal, Protocol

import numpy as np

from shared.drift.baseline import (
    LARGEST_TOLERANCE,
    Baseline,
    Residuals,
    Watched,
)
from shared.drift.bets import Bets
from shared.drift.evidence import Direction
from shared.drift.omnibus import Omnibus
from shared.drift.scores import (
    Floats,
    Integers,
    Stream,
    Streams,
    quality_streams,
    shape_streams,
    share_stream,
)
from shared.drift.tilts import NDArrayBool, NDArrayInt, Tilts
from shared.drift.volume import VolumeTest
from shared.drift.windows import Inputs, Intake, Outcomes

LEAST_ROWS = 200
SCORES_WEIGHT = 0.5
UNIMPORTANT = 0.03
OMNIBUS_WEIGHT = 0.2
WHOLE_FEED = 0.1


class EValues(Protocol):
    """A family of bets: log e-values by window, and the directions they are for."""

    @property
    def directions(self) -> tuple[Direction, ...]:
        """What may move which way."""

    @property
    def of(self) -> NDArrayInt:
        """(t,) direction of each bet."""

    def log_e(self, vectors: Integers) -> Floats:
        """Compute (w, t) log e-values of windows (w, v), NaN where there is nothing to bet on."""

    def moved(self, vectors: Integers) -> Floats:
        """Compute (w, d) effects."""

    def outside(self, vectors: Integers) -> NDArrayBool:
        """Tell (w, d) which directions are beyond their tolerance."""


@dataclass(frozen=True)
class Reading:
    """How a detector sees windows.

    Attributes:
        reads: inputs, outcomes or intake.
        vector: window -> (v,) counts; those of several windows may be added.
        rows: window -> how many rows it bets on.
        least: windows with fewer rows wait and are added to the next.
        sources: of e-values.
        importance: what -> its weight; weights are scaled to sum 1.

    """

    reads: Literal["inputs", "outcomes", "intake"]
    vector: Callable[[Any], Integers]
    rows: Callable[[Any], int]
    least: int
    sources: tuple[EValues, ...]
    importance: Mapping[str, float]

    def log_e(self, vectors: Integers) -> Floats:
        """Compute (w, t) log e-values of w windows, NaN where there is nothing to bet on."""
        return _beside([source.log_e(vectors) for source in self.sources], len(vectors))

    def moved(self, vectors: Integers) -> Floats:
        """Compute (w, d) effects."""
        return _beside([source.moved(vectors) for source in self.sources], len(vectors))

    def outside(self, vectors: Integers) -> NDArrayBool:
        """Tell (w, d) which directions are beyond their tolerance."""
        return _beside([source.outside(vectors) for source in self.sources], len(vectors)) > 0

    @property
    def directions(self) -> tuple[Direction, ...]:
        """All directions, source after source."""
        return tuple(one for source in self.sources for one in source.directions)

    def of(self) -> NDArrayInt:
        """(t,) direction of each bet."""
        starts = [0, *accumulate(len(source.directions) for source in self.sources)]
        parts = [source.of + start for source, start in zip(self.sources, starts, strict=False)]
        return np.concatenate([np.empty(0, np.intp), *parts]).astype(np.intp)

    def weights(self) -> Floats:
        """(t,) weight of each bet: by importance, a fifth of it for the omnibus, the rest even."""
        of = self.of()
        blamed = [self.directions[direction].what for direction in of]
        shape = np.array([self.directions[d].way == "shape" for d in of], bool)
        weights = np.zeros(len(of))
        for what, importance in self.importance.items():
            mine = np.array([one == what for one in blamed], bool)
            kinds = [mine & ~shape, mine & shape]
            parts = [1 - OMNIBUS_WEIGHT, OMNIBUS_WEIGHT] if all(k.any() for k in kinds) else [1, 1]
            for kind, part in zip(kinds, parts, strict=True):
                weights[kind] = importance * part / max(kind.sum(), 1)
        total = weights.sum()
        return weights / total if total > 0 else weights


# --- streams of a baseline, family by family, in the order of its variation


def shapes(watched: Sequence[Watched], prefix: str, start: int = 0) -> list[Stream]:
    """Score the shapes of columns that stand side by side from `start` on."""
    return [
        stream.moved_to(place)
        for one, place in zip(watched, _starts(watched, start), strict=True)
        for stream in shape_streams(prefix + one.name, one.cells, np.array(one.counts))
    ]


def qualities(watched: Sequence[Watched]) -> list[Stream]:
    """Score null, strange and infinite values of features."""
    return [
        stream.moved_to(place)
        for one, place in zip(watched, _starts(watched, 0), strict=True)
        for stream in quality_streams(one.name, one.cells, np.array(one.counts))
    ]


def input_streams(baseline: Baseline) -> list[Stream]:
    """Streams of features, then of scores."""
    start = sum(one.cells.width for one in baseline.features)
    return [*shapes(baseline.features, "feature:"), *shapes(baseline.scores, "", start)]


def loss_streams(baseline: Baseline) -> list[Stream]:
    """Score the mean loss."""
    stream = _loss_stream("loss", baseline, baseline.losses.counts)
    return [] if stream is None else [stream]


def slice_streams(baseline: Baseline) -> list[Stream]:
    """Score the mean loss of each slice."""
    width = len(baseline.losses.values)
    found = (
        (_loss_stream(one.what, baseline, one.counts), index * width)
        for index, one in enumerate(baseline.slices)
    )
    return [stream.moved_to(start) for stream, start in found if stream is not None]


def residual_streams(baseline: Baseline) -> list[Stream]:
    """Residuals of all rows together, and of each tenth of the scores, per class."""
    streams, start = [], 0
    for pair in baseline.residuals:
        streams += [stream.moved_to(start) for stream in _residuals(pair)]
        start += len(pair.counts)
    return streams


def label_stream(baseline: Baseline) -> Stream:
    """Score the share of predictions without a label at maturity."""
    return _rate_stream("labels", 0, 1.0 - baseline.arrived, baseline.n)


def _residuals(pair: Residuals) -> list[Stream]:
    name = f"calibration:{pair.name}" if pair.name else "calibration"
    counts = np.array(pair.counts).reshape(len(pair.score_edges) + 1, -1)
    # Half an observation more per cell: a row that was always right has not proved it always is.
    smoothed = counts + 0.5
    values = np.array(pair.values)
    centred = values - (smoothed @ values / smoothed.sum(axis=1))[:, None]
    cells = np.arange(counts.size).reshape(counts.shape)
    bounds = ["", *(f"{edge:.3g}" for edge in pair.score_edges), ""]
    rows = [(f"{name}[{bounds[r]}..{bounds[r + 1]}]", r) for r in range(len(counts))]
    found = [_centred(name, cells.ravel(), centred.ravel(), smoothed.ravel(), counts.sum())]
    found += [
        _centred(what, cells[r], centred[r], smoothed[r], counts[r].sum()) for what, r in rows
    ]
    return [stream for stream in found if stream is not None]


def _loss_stream(what: str, baseline: Baseline, counts: Sequence[int]) -> Stream | None:
    rows, values = np.array(counts, np.float64), np.array(baseline.losses.values)
    cells = np.arange(len(values))
    if rows.sum() == 0:
        return None
    centred = values - rows @ values / rows.sum()
    return _centred(what, cells, centred, rows, int(rows.sum()), upward=True)


def _centred(
    what: str, cells: NDArrayInt, values: Floats, rows: Floats, n: int, *, upward: bool = False
) -> Stream | None:
    """Scale values of mean 0; None if they do not vary."""
    shares = rows / rows.sum()
    sd = float(np.sqrt(shares @ np.square(values)))
    if n == 0 or sd < 1e-12:
        return None
    return Stream(what, "mean", cells, values / sd, shares, n, upward, sd)


def _starts(watched: Sequence[Watched], start: int) -> list[int]:
    return list(accumulate((one.cells.width for one in watched), initial=start))[:-1]


# --- readings, by detector


def inputs_reading(baseline: Baseline, factor: float) -> Reading:
    """Read every feature alike."""
    equal = {f"feature:{one.name}": 1.0 for one in baseline.features}
    return _shape_reading(baseline, factor, equal)


def impact_reading(baseline: Baseline, factor: float) -> Reading:
    """Read features as the model uses them, and the score as much as all of them."""
    kept = {
        f"feature:{one.name}": one.importance
        for one in baseline.features
        if one.importance >= UNIMPORTANT
    }
    total = sum(kept.values())
    importance = {what: (1 - SCORES_WEIGHT) * share / total for what, share in kept.items()}
    importance |= {one.name: SCORES_WEIGHT / len(baseline.scores) for one in baseline.scores}
    return _shape_reading(baseline, factor, importance)


def quality_reading(baseline: Baseline, factor: float) -> Reading:
    """Read null, strange and infinite values, late rows, and how many come at all."""
    width = sum(one.cells.width for one in (*baseline.features, *baseline.scores))
    streams = qualities(baseline.features)
    delta = _widened(streams, baseline.variation["quality"].tolerances(factor))
    late = _rate_stream("late", width, 0.0, np.inf)
    tilts = _tilts([*streams, late], np.append(delta, LARGEST_TOLERANCE))
    volume = () if baseline.volume is None else (VolumeTest(baseline.volume, factor, width + 2),)
    whats = [stream.what for stream in streams]
    importance = {what: (1 - 2 * WHOLE_FEED) / max(len(whats), 1) for what in whats}
    importance |= {"late": WHOLE_FEED, "volume": WHOLE_FEED}

    def vector(window: Inputs) -> Integers:
        late = min(window.late, window.n)
        total = window.n if window.total is None else window.total
        return np.concatenate([window.counts, [late, window.n - late, total]])

    return Reading("inputs", vector, lambda window: window.n, 1, (tilts, *volume), importance)


def loss_reading(baseline: Baseline, factor: float) -> Reading:
    """Read the mean loss, upwards."""
    bets = _bets(loss_streams(baseline), baseline, "loss", factor)
    return _outcome_reading(lambda window: window.losses, bets)


def calibration_reading(baseline: Baseline, factor: float) -> Reading:
    """Read whether the truth still stands to the score as it did, in both directions."""
    bets = _bets(residual_streams(baseline), baseline, "calibration", factor)
    return _outcome_reading(lambda window: window.residuals, bets)


def slices_reading(baseline: Baseline, factor: float) -> Reading:
    """Read the mean loss of each slice against its own, upwards."""
    bets = _bets(slice_streams(baseline), baseline, "slices", factor)
    keys = [(one.feature, one.value) for one in baseline.slices]
    nothing = np.zeros(len(baseline.losses.values), np.int64)

    def vector(window: Outcomes) -> Integers:
        return np.concatenate([nothing[:0], *(window.slices.get(key, nothing) for key in keys)])

    return _outcome_reading(vector, bets)


def labels_reading(baseline: Baseline, factor: float) -> Reading:
    """Read the share of predictions without a label at maturity, upwards."""
    variation = baseline.variation["labels"]
    tilts = _tilts([label_stream(baseline)], variation.tolerances(factor))

    def vector(window: Outcomes) -> Integers:
        return np.array([window.n - window.labelled, window.labelled])

    return Reading(
        "outcomes", vector, lambda window: window.n, LEAST_ROWS, (tilts,), {"labels": 1.0}
    )


def intake_reading(baseline: Baseline, factor: float) -> Reading:
    """Read the share of events that are refused, in all and by field, upwards."""
    names = [one.name for one in baseline.features]
    whats = ["quarantined", *(f"quarantined:{name}" for name in names)]
    streams = [_rate_stream(what, 2 * row, 0.0, np.inf) for row, what in enumerate(whats)]
    tilts = _tilts(streams, np.full(len(streams), LARGEST_TOLERANCE))

    def vector(window: Intake) -> Integers:
        refused = [window.quarantined, *(window.fields.get(name, 0) for name in names)]
        bad = np.minimum(np.array(refused, np.int64), window.received)
        return np.stack([bad, window.received - bad], axis=1).ravel()

    importance = {what: 0.5 / max(len(names), 1) for what in whats[1:]} | {"quarantined": 0.5}
    return Reading(
        "intake", vector, lambda window: window.received, LEAST_ROWS, (tilts,), importance
    )


READINGS: Mapping[str, Callable[[Baseline, float], Reading]] = {
    "inputs": inputs_reading,
    "impact": impact_reading,
    "quality": quality_reading,
    "loss": loss_reading,
    "calibration": calibration_reading,
    "slices": slices_reading,
    "labels": labels_reading,
    "intake": intake_reading,
}


def _shape_reading(baseline: Baseline, factor: float, importance: Mapping[str, float]) -> Reading:
    streams = input_streams(baseline)
    tolerances = _widened(streams, baseline.variation["inputs"].tolerances(factor))
    mine = np.array([stream.what in importance for stream in streams], bool)
    streams, tolerances = list(compress(streams, mine)), tolerances[mine]
    whole, widest = _histograms(streams, tolerances)
    sources = (_tilts(streams, tolerances), Omnibus(whole, widest))
    return Reading(
        "inputs",
        lambda window: window.counts,
        lambda window: window.n,
        LEAST_ROWS,
        sources,
        importance,
    )


def _histograms(streams: Sequence[Stream], tolerances: Floats) -> tuple[list[Stream], Floats]:
    """Take one stream of each column for its histogram, with the widest tolerance of the column."""
    widest: dict[str, float] = {}
    first: dict[str, Stream] = {}
    for stream, tolerance in zip(streams, tolerances, strict=True):
        widest[stream.what] = max(widest.get(stream.what, 0.0), float(tolerance))
        first.setdefault(stream.what, stream)
    kept = [what for what, tolerance in widest.items() if tolerance <= LARGEST_TOLERANCE]
    return [first[what] for what in kept], np.array([widest[what] for what in kept])


def _outcome_reading(vector: Callable[[Outcomes], Integers], bets: Bets) -> Reading:
    whats = {direction.what: 1.0 for direction in bets.directions}
    return Reading("outcomes", vector, lambda window: window.labelled, LEAST_ROWS, (bets,), whats)


def _tilts(streams: Sequence[Stream], tolerances: Floats) -> Tilts:
    kept = tolerances <= LARGEST_TOLERANCE
    return Tilts(Streams(list(compress(streams, kept))), tolerances[kept])


def _bets(streams: Sequence[Stream], baseline: Baseline, family: str, factor: float) -> Bets:
    variation = baseline.variation[family]
    means = variation.tolerances(factor) + 2.0 * np.array(variation.error)
    kept = means <= LARGEST_TOLERANCE
    return Bets(Streams(list(compress(streams, kept))), means[kept])


def _widened(streams: Sequence[Stream], tolerances: Floats) -> Floats:
    """Tolerate at least twice the standard error of the reference itself."""
    rows = np.array([stream.rows for stream in streams], np.float64)
    widened: Floats = np.maximum(tolerances, 2.0 / np.sqrt(np.maximum(rows, 1.0)))
    return widened


def _rate_stream(what: str, start: int, share: float, rows: float) -> Stream:
    """Score the share of the first of two cells, upwards."""
    shares = np.array([share, 1.0 - share])
    cells = np.array([0, 1])
    return share_stream(what, "share", cells, cells[:1], shares, rows, upward=True).moved_to(start)


def _beside(parts: Sequence[Floats | NDArrayBool], w: int) -> Floats:
    """Put columns of w windows side by side."""
    columns: Floats = np.concatenate([np.empty((w, 0)), *parts], axis=1)
    return columns

"""The eight readings: what each detector sees of a window and of a baseline."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import compress

import numpy as np

from shared.drift.baseline import LARGEST_TOLERANCE, LEAST_MEAN_TOLERANCE, Baseline
from shared.drift.bets import Bets
from shared.drift.families import (
    input_streams,
    label_stream,
    loss_streams,
    quality_streams,
    rate_stream,
    residual_streams,
    slice_streams,
    support_streams,
)
from shared.drift.omnibus import Omnibus
from shared.drift.reading import EValues, Reading
from shared.drift.streams import Floats, Integers, Stream, Streams
from shared.drift.tilts import Tilts
from shared.drift.volume import VolumeTest
from shared.drift.windows import LEAST_ROWS, Inputs, Intake, Outcomes

SCORES_WEIGHT = 0.5
UNIMPORTANT = 0.03
SUPPORT_WEIGHT = 0.25
WHOLE_FEED = 0.1
WIDE = 0.5


def inputs_reading(baseline: Baseline, factor: float) -> Reading:
    """Read every feature alike: its shape, and values that the reference does not reach."""
    equal = {f"feature:{one.name}": 1.0 for one in baseline.features}
    strange = support_streams(baseline)
    importance = equal | {stream.what: SUPPORT_WEIGHT for stream in strange}
    return _shape_reading(
        baseline, factor, importance, _shares(strange, baseline, "support", factor)
    )


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
    """Read null and infinite values, late rows, and how many rows come at all."""
    width = sum(one.cells.width for one in (*baseline.features, *baseline.scores))
    streams = quality_streams(baseline)
    variation = baseline.variation["quality"]
    delta = variation.tolerances(factor)
    late = rate_stream("late", width, 0.0, np.inf)
    tilts = Tilts(
        Streams([*streams, late]), np.append(delta, WIDE), np.array([*variation.swing, 0.0])
    )
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
    tilts = _shares([label_stream(baseline)], baseline, "labels", factor)

    def vector(window: Outcomes) -> Integers:
        return np.array([window.n - window.labelled, window.labelled])

    return Reading(
        "outcomes", vector, lambda window: window.n, LEAST_ROWS, (tilts,), {"labels": 1.0}
    )


def intake_reading(baseline: Baseline, factor: float) -> Reading:
    """Read the share of events that are refused, in all and by field, upwards."""
    names = [one.name for one in baseline.features]
    whats = ["quarantined", *(f"quarantined:{name}" for name in names)]
    streams = [rate_stream(what, 2 * row, 0.0, np.inf) for row, what in enumerate(whats)]
    tilts = Tilts(Streams(streams), np.full(len(streams), WIDE), np.zeros(len(streams)))

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


def _shape_reading(
    baseline: Baseline, factor: float, importance: Mapping[str, float], *others: Tilts
) -> Reading:
    streams = input_streams(baseline)
    variation = baseline.variation["inputs"]
    delta = variation.tolerances(factor)
    mine = np.array([stream.what in importance for stream in streams], bool)
    streams, delta = list(compress(streams, mine)), delta[mine]
    swing = np.array(variation.swing)[mine]
    shapes: tuple[EValues, ...] = (
        Tilts(Streams(streams), delta, swing),
        _omnibus(streams, delta, swing),
    )
    return Reading(
        "inputs",
        lambda window: window.counts,
        lambda window: window.n,
        LEAST_ROWS,
        shapes + others,
        importance,
    )


def _omnibus(streams: Sequence[Stream], delta: Floats, swing: Floats) -> Omnibus:
    """Test each column's histogram with the widest tolerance and variation of its scores."""
    widest: dict[str, tuple[Stream, float, float]] = {}
    for stream, tolerated, swings in zip(streams, delta.tolist(), swing.tolist(), strict=True):
        first, *most = widest.get(stream.what, (stream, 0.0, 0.0))
        widest[stream.what] = first, max(most[0], tolerated), max(most[1], swings)
    kept = [column for column in widest.values() if column[1] <= LARGEST_TOLERANCE]
    numbers = np.array([column[1:] for column in kept]).reshape(-1, 2)
    return Omnibus([column[0] for column in kept], numbers[:, 0], numbers[:, 1])


def _outcome_reading(vector: Callable[[Outcomes], Integers], bets: Bets) -> Reading:
    whats = {direction.what: 1.0 for direction in bets.directions}
    return Reading("outcomes", vector, lambda window: window.labelled, LEAST_ROWS, (bets,), whats)


def _shares(streams: Sequence[Stream], baseline: Baseline, family: str, factor: float) -> Tilts:
    variation = baseline.variation[family]
    return Tilts(Streams(streams), variation.tolerances(factor), np.array(variation.swing))


def _bets(streams: Sequence[Stream], baseline: Baseline, family: str, factor: float) -> Bets:
    variation = baseline.variation[family]
    mean = variation.tolerances(factor, LEAST_MEAN_TOLERANCE)
    return Bets(Streams(streams), mean, np.array(variation.swing))

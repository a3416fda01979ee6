"""Reference windows, and how much they vary by themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import scipy
from numpy.typing import NDArray

from shared.drift.baseline import LARGEST_TOLERANCE, NEVER, Baseline, Slice, Variation
from shared.drift.cells import Column
from shared.drift.counting import grouped
from shared.drift.families import (
    input_streams,
    label_stream,
    loss_streams,
    quality_streams,
    residual_streams,
    slice_streams,
    support_streams,
)
from shared.drift.reference import Held, Reference
from shared.drift.spans import Groups, declared_windows, reference_windows
from shared.drift.strangers import strange
from shared.drift.streams import Floats, Integers, Stream, Streams
from shared.drift.watch import input_cells, outcome_cells

CONFIDENCE = 0.9
MANY = 30
PRESUMED = 0.1
VISIBLE = 0.25


def counted_windows(reference: Reference, bare: Baseline) -> dict[str, Integers]:
    """Count reference windows as each detector will read them.

    Args:
        reference: rows.
        bare: a baseline that knows its cells.

    Returns:
        detector -> (w, v) counts of its windows in order of time; of the past where features alone
        matter, of held-out rows otherwise, none where the reference knows nothing.

    """
    held = reference.held_out
    names = list(reference.kinds)
    past = reference_windows(reference.past_times, reference.window_us)
    mine = reference_windows(held.times, reference.window_us)
    features = _input_counts(bare, [reference.past[name] for name in names], past)
    cells = input_cells(bare)
    places = cells.places([held.features[name] for name in names], held.scores)
    outcomes = outcome_cells(bare)
    losses = outcomes.losses(held.losses)
    g = int(mine.max()) + 1
    residuals = outcomes.residuals(held.scores, held.labels)
    slices = [_slice_counts(held, one, losses, mine, g, outcomes.loss_width) for one in bare.slices]
    return {
        "inputs": features,
        "impact": cells.counts(places, mine, g),
        "quality": _quality_counts(reference, bare, features),
        "loss": grouped(losses, mine, g, outcomes.loss_width),
        "calibration": grouped(residuals, mine, g, outcomes.residual_width),
        "slices": np.concatenate([np.zeros((g, 0), np.int64), *slices], axis=1),
        "labels": _label_counts(reference.matured),
        "intake": np.zeros((0, 2 * (1 + len(names))), np.int64),
    }


def _input_counts(bare: Baseline, columns: Sequence[Column], groups: Groups) -> Integers:
    """Count features by window; the scores of the past are not known, their cells stay empty.

    Windows know the range and the categories of all windows but their own block's, as a window to
    come will: otherwise no reference window would ever hold anything strange.
    """
    g = int(groups.max(initial=-1)) + 1
    parts = []
    for one, column in zip(bare.features, columns, strict=True):
        places = one.cells.places(column)
        outer = one.cells.strange
        beyond = np.where(places > one.cells.width // 2, outer[-1], outer[0])
        places = np.where(strange(one.cells, column, groups), beyond, places)
        parts.append(grouped(places, groups, g, one.cells.width))
    scores = sum(one.cells.width for one in bare.scores)
    return np.concatenate([*parts, np.zeros((g, scores), np.int64)], axis=1)


def _quality_counts(reference: Reference, bare: Baseline, merged: Integers) -> Integers:
    """Whole declared windows, where there are enough of them for the volume to be watched."""
    counts = merged
    if bare.volume is not None:
        groups = declared_windows(reference.past_times, reference.window_us)
        columns = [reference.past[one.name] for one in bare.features]
        counts = _input_counts(bare, columns, groups)[1:-1]
    first = bare.features[0].cells.width
    rows = counts[:, :first].sum(axis=1)
    return np.concatenate([counts, np.stack([0 * rows, rows, rows], axis=1)], axis=1)


def _slice_counts(
    held: Held, one: Slice, losses: NDArray[np.intp], groups: Groups, g: int, width: int
) -> Integers:
    inside = np.array([value == one.value for value in held.slices[one.feature]], bool)
    return grouped(losses[inside], groups[inside], g, width)


def _label_counts(matured: NDArray[np.int64] | None) -> Integers:
    if matured is None:
        return np.zeros((0, 2), np.int64)
    return np.stack([matured[:, 0] - matured[:, 1], matured[:, 1]], axis=1)


def variations(
    bare: Baseline, windows: Mapping[str, Integers], *, bounded: bool
) -> dict[str, Variation]:
    """Estimate how much every family of streams varies by itself.

    Args:
        bare: a baseline that knows its cells.
        windows: of `counted_windows`.
        bounded: where windows are few or much alike, take an upper confidence bound.

    """
    streams = input_streams(bare)
    features = [stream for stream in streams if stream.what.startswith("feature:")]
    past = _variation(features, windows["inputs"], bounded=bounded)
    scores = _variation(streams[len(features) :], windows["impact"], bounded=bounded)
    return {
        "inputs": Variation(
            past.tau + scores.tau, past.swing + scores.swing, past.error + scores.error
        ),
        "support": _variation(support_streams(bare), windows["inputs"], bounded=bounded),
        "quality": _variation(quality_streams(bare), windows["quality"], bounded=bounded),
        "loss": _variation(loss_streams(bare), windows["loss"], bounded=bounded),
        "calibration": _variation(residual_streams(bare), windows["calibration"], bounded=bounded),
        "slices": _variation(slice_streams(bare), windows["slices"], bounded=bounded),
        "labels": _label_variation(bare, windows["labels"], bounded=bounded),
    }


def _variation(each: Sequence[Stream], windows: Integers, *, bounded: bool) -> Variation:
    streams = Streams(each)
    tau = np.minimum(natural_variation(streams, windows, bounded=bounded), NEVER)
    totals, rows = _deviations(streams, windows)
    n = np.maximum(rows.sum(axis=0), 1.0)
    w = max(len(windows), 2)
    rho = _memory(totals, rows)
    longer = (1.0 + rho) / (1.0 - rho)
    between = np.square(totals).sum(axis=0) * w / (w - 1) / n**2
    error = np.sqrt(np.maximum(between * longer, 1.0 / n))
    swing = np.minimum(tau * np.sqrt(longer), NEVER)
    return Variation(tuple(tau.tolist()), tuple(swing.tolist()), tuple(error.tolist()))


def _label_variation(bare: Baseline, windows: Integers, *, bounded: bool) -> Variation:
    if not len(windows):
        return Variation((LARGEST_TOLERANCE,), (0.0,), (0.0,))
    return _variation([label_stream(bare)], windows, bounded=bounded)


def natural_variation(streams: Streams, windows: Integers, *, bounded: bool) -> Floats:
    """Estimate how much the mean scores vary from window to window beyond chance.

    With z = sum of scores / sqrt(n) in a window of n rows, E z^2 = 1 + n tau^2. The answer is the
    tau at which the mean of z^2 / (1 + n tau^2) is 1; bounded, if there are fewer than thirty
    independent windows, a low quantile of chi-square over its degrees. Windows that follow each
    other are alike: w of them with a memory rho are worth w (1 - rho^2) / (1 + rho^2). One more
    window, of .1 sd, is presumed: without it a reference of two windows would bound nothing.

    Args:
        streams: s of them.
        windows: (w, v) reference windows in order of time.
        bounded: take the upper confidence bound.

    Returns:
        (s,) standard deviations tau; infinite where no window has rows.

    """
    totals, rows = _deviations(streams, windows)
    z2 = np.square(totals) / np.maximum(rows, 1.0)
    used = (rows > 0).sum(axis=0)
    rho2 = np.square(_memory(totals, rows))
    independent = np.maximum(used * (1.0 - rho2) / (1.0 + rho2), 1.0)
    few = bounded & (independent < MANY)
    worth = np.where(few, independent / np.maximum(used, 1.0), 1.0)
    presumed = np.where(few, np.square(PRESUMED), 0.0)
    expected = np.where(few, scipy.special.chdtri(independent + 1.0, CONFIDENCE), used)
    low, high = np.zeros(len(streams)), np.full(len(streams), 1e4)
    for _ in range(60):
        middle = (low + high) / 2
        found = worth * (z2 / (1.0 + rows * middle)).sum(axis=0)
        above = found + presumed / middle > expected
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.where(used > 0, np.sqrt(low), np.inf)


def _deviations(streams: Streams, windows: Integers) -> tuple[Floats, Floats]:
    """Add up scores and rows (w, s); what lies below the floor of a share always does not vary."""
    totals, rows = streams.sums(windows)
    mean = totals.sum(axis=0) / np.maximum(rows.sum(axis=0), 1.0)
    below = np.where(streams.upward, np.minimum(mean, 0.0), 0.0)
    return totals - rows * below, rows


def _memory(totals: Floats, rows: Floats) -> Floats:
    """Correlate mean scores (w, s) with those of the window before, chance left out: (s,) rho.

    One stream's own correlation is uncertain, so it counts at least as much as the median of all
    that vary visibly.
    """
    means = totals / np.maximum(rows, 1.0)
    power = np.square(means).sum(axis=0)
    variance = power - (1.0 / np.maximum(rows, 1.0)).sum(axis=0)
    visible = variance > VISIBLE * power
    if not visible.any():
        return np.zeros(totals.shape[1])
    alike = (means[1:] * means[:-1]).sum(axis=0)
    rho = np.where(visible, np.clip(alike / np.where(visible, variance, 1.0), 0.0, 0.99), 0.0)
    memory: Floats = np.maximum(rho, np.median(rho[visible]))
    return memory

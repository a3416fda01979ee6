"""Reference rows to a baseline: cells, counts, natural variation, tolerances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, cast

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray
from scipy.special import chdtri

from shared.drift.baseline import (
    LARGEST_TOLERANCE,
    NEVER,
    Baseline,
    Losses,
    Residuals,
    Slice,
    Task,
    Variation,
    Volume,
    Watched,
)
from shared.drift.calibration import factor
from shared.drift.cells import Cells, Column, category_cells, number_cells
from shared.drift.counting import grouped, residual_sides, score_columns, score_names
from shared.drift.readings import (
    READINGS,
    input_streams,
    label_stream,
    loss_streams,
    qualities,
    residual_streams,
    slice_streams,
)
from shared.drift.scores import Integers, Stream, Streams, natural_variation
from shared.drift.spans import LEAST_WINDOWS, Groups, declared_windows, reference_windows
from shared.drift.watch import input_cells, outcome_cells

Times = NDArray[np.int64]
Floats = NDArray[np.float64]

CONFIDENCE = 0.9
SCORE_TENTHS = 10
RESIDUAL_CELLS = 9
LEAST_SLICE_ROWS = 100
MOST_SLICES = 128
LEAST_SPREAD = 0.05
BETTING = ("loss", "calibration", "slices")
DELAYS = (0.5, 0.9, 0.95, 0.99)


@dataclass(frozen=True)
class Held:
    """Rows that the model was not fitted on, all labelled.

    Attributes:
        times: (n,) of the events, ascending, microseconds.
        features: name -> column of n values.
        scores: (n,), or (n, classes).
        labels: (n,) 0 or 1, a value, or the index of the class.
        losses: (n,) in the metric of the declaration.
        slices: feature -> n values, None where a row is in no slice of it.

    """

    times: Times
    features: Mapping[str, Column]
    scores: Floats
    labels: Floats
    losses: Floats
    slices: Mapping[str, Sequence[str | None]]


@dataclass(frozen=True)
class Reference:
    """What a baseline is made of.

    Attributes:
        task: of the model.
        classes: of a multiclass model.
        window_us: declared length of a window.
        kinds: feature -> number or category, in the order of the declaration.
        importance: feature -> share; they sum to 1, or are all 0.
        held_out: rows the model was not fitted on.
        past_times: (m,) of all rows up to the pin, held-out ones included, microseconds.
        past: their features: they tell how much features vary by themselves.
        delays_us: time from event to label of labelled rows.
        arrived: share of events whose label is there at maturity.
        matured: (w, 2) events and labelled ones of reference windows; without them the widest
            tolerance is given to the share of labels.

    """

    task: Task
    classes: tuple[str, ...]
    window_us: int
    kinds: Mapping[str, Literal["number", "category"]]
    importance: Mapping[str, float]
    held_out: Held
    past_times: Times
    past: Mapping[str, Column]
    delays_us: Times
    arrived: float
    matured: NDArray[np.int64] | None = None


def fit(reference: Reference, *, promise: int, seed: int) -> Baseline:
    """Fit a baseline.

    Args:
        reference: rows.
        promise: at most one false alarm in so many windows, for all detectors together.
        seed: of the bootstrap that sets the tolerances.

    Returns:
        the same for the same arguments.

    Raises:
        ValueError: columns of different lengths, no held-out rows, or values that are not finite.

    """
    check(reference)
    bare = _bare(reference, promise)
    windows = _windows(reference, bare)
    varied = replace(
        bare,
        variation=_variations(reference, bare, windows),
        reference_windows=(len(windows["impact"]), len(windows["inputs"])),
    )
    level = float(promise * len(READINGS))
    factors = {
        name: factor(partial(make, varied), windows[name], level, seed)
        for name, make in READINGS.items()
    }
    fitted = replace(varied, factors=factors)
    return replace(fitted, unmonitorable=_unmonitorable(fitted))


def check(reference: Reference) -> None:
    """Check that the rows fit together.

    Raises:
        ValueError: they do not; it says which.

    """
    held, n = reference.held_out, len(reference.held_out.times)
    if n == 0:
        raise ValueError("no held-out rows to fit a drift baseline to")
    numbers = {"scores": held.scores, "labels": held.labels, "losses": held.losses}
    lengths = {name: len(column) for name, column in numbers.items()}
    lengths |= {f"feature {name}": len(held.features[name]) for name in reference.kinds}
    lengths |= {f"slice {name}": len(values) for name, values in held.slices.items()}
    for name, length in lengths.items():
        if length != n:
            raise ValueError(f"{name}: {length} held-out rows, but {n} times")
    for name in reference.kinds:
        if len(reference.past[name]) != len(reference.past_times):
            raise ValueError(f"feature {name} of the past has another length than its times")
    for name, column in numbers.items():
        if not np.isfinite(column).all():
            raise ValueError(f"held-out {name} are not all finite")


# --- the document without tolerances


def _bare(reference: Reference, promise: int) -> Baseline:
    held = reference.held_out
    scores = score_columns(reference.task, reference.classes, held.scores)
    score_cells = [number_cells(column) for column in scores]
    loss_cells = number_cells(held.losses).edges
    loss_of = np.searchsorted(loss_cells, held.losses, side="left")
    names = score_names(reference.task, reference.classes)
    return Baseline(
        task=reference.task,
        classes=reference.classes,
        window_us=reference.window_us,
        promise=promise,
        n=len(held.times),
        reference_windows=(0, 0),
        features=tuple(_feature(reference, name) for name in reference.kinds),
        scores=tuple(
            _watched(name, cells, column, 0.0)
            for name, cells, column in zip(names, score_cells, scores, strict=True)
        ),
        losses=_losses(loss_cells, loss_of, held.losses),
        expected_loss=_means(score_cells[0].places(scores[0]), held.losses, score_cells[0].width),
        slices=tuple(_slices(held, loss_of, len(loss_cells) + 1)),
        residuals=tuple(_residuals(reference)),
        variation={},
        factors={},
        volume=_volume(reference),
        arrived=reference.arrived,
        delays_us=_delays(reference.delays_us),
        unmonitorable=(),
    )


def _feature(reference: Reference, name: str) -> Watched:
    column, past = reference.held_out.features[name], reference.past[name]
    cells: Cells
    if reference.kinds[name] == "number":
        cells = number_cells(np.asarray(column, np.float64), np.asarray(past, np.float64))
    else:
        cells = category_cells(
            cast("Sequence[str | None]", column), cast("Sequence[str | None]", past)
        )
    return _watched(name, cells, column, reference.importance.get(name, 0.0))


def _watched(name: str, cells: Cells, column: Column, importance: float) -> Watched:
    counts = np.bincount(cells.places(column), minlength=cells.width)
    return Watched(name, cells, tuple(counts.tolist()), float(importance))


def _losses(edges: tuple[float, ...], places: NDArray[np.intp], losses: Floats) -> Losses:
    values = list(_means(places, losses, len(edges) + 1))
    values[0], values[-1] = float(losses.min()), float(losses.max())
    counts = np.bincount(places, minlength=len(values))
    return Losses(edges, tuple(values), tuple(counts.tolist()))


def _means(places: NDArray[np.intp], values: Floats, width: int) -> tuple[float, ...]:
    """Average values by cell; an empty cell has the mean of all."""
    counts = np.bincount(places, minlength=width)
    sums = np.bincount(places, values, width)
    means = np.where(counts > 0, sums / np.maximum(counts, 1), values.mean())
    return tuple(means.tolist())


def _slices(held: Held, loss_of: NDArray[np.intp], width: int) -> list[Slice]:
    found = []
    for feature, values in held.slices.items():
        names = sorted({value for value in values if value is not None})
        code = {name: row for row, name in enumerate(names)}
        of = np.array([-1 if value is None else code[value] for value in values], np.intp)
        kept = of >= 0
        counts = grouped(loss_of[kept], of[kept], len(names), width)
        found += [
            Slice(feature, name, tuple(row.tolist()))
            for name, row in zip(names, counts, strict=True)
            if row.sum() >= LEAST_SLICE_ROWS
        ]
    return sorted(found, key=lambda one: (-sum(one.counts), one.feature, one.value))[:MOST_SLICES]


def _residuals(reference: Reference) -> list[Residuals]:
    held = reference.held_out
    sides = residual_sides(reference.task, reference.classes, held.scores, held.labels)
    return [_residual(reference.task, name, score, label) for name, score, label in sides]


def _residual(task: Task, name: str, score: Floats, label: Floats) -> Residuals:
    score_edges = number_cells(score, quantiles=SCORE_TENTHS).edges[1:-1]
    against = label - score if task == "regression" else label
    edges: tuple[float, ...] = (0.5,)
    if task == "regression":
        edges = number_cells(against, quantiles=RESIDUAL_CELLS).edges[1:-1]
    column = np.searchsorted(edges, against, side="left")
    means = _means(column, against, len(edges) + 1)
    values = means if task == "regression" else (0.0, 1.0)
    flat = np.searchsorted(score_edges, score, side="left") * len(values) + column
    counts = np.bincount(flat, minlength=(len(score_edges) + 1) * len(values))
    return Residuals(name, score_edges, edges, values, tuple(counts.tolist()))


def _volume(reference: Reference) -> Volume | None:
    """Rows of the declared windows but the first and the last, which may be cut."""
    if not len(reference.past_times):
        return None
    rows = np.bincount(declared_windows(reference.past_times, reference.window_us))[1:-1]
    if len(rows) < LEAST_WINDOWS:
        return None
    logs = np.log(rows)
    centre = float(np.median(logs))
    low = float(chdtri(len(rows), CONFIDENCE))
    spread = float(np.sqrt(np.square(logs - centre).sum() / low))
    return Volume(centre, max(spread, LEAST_SPREAD))


def _delays(delays: Times) -> tuple[int, ...]:
    if not len(delays):
        return ()
    return tuple(int(value) for value in np.quantile(delays, DELAYS, method="higher"))


# --- reference windows, by detector


def _windows(reference: Reference, bare: Baseline) -> dict[str, Integers]:
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
    """Count features by window; the scores of the past are not known, their cells stay empty."""
    g = int(groups.max(initial=-1)) + 1
    parts = [
        grouped(one.cells.places(column), groups, g, one.cells.width)
        for one, column in zip(bare.features, columns, strict=True)
    ]
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


# --- natural variation


def _variations(
    reference: Reference, bare: Baseline, windows: Mapping[str, Integers]
) -> dict[str, Variation]:
    streams = input_streams(bare)
    features = [stream for stream in streams if stream.what.startswith("feature:")]
    past = _variation(features, windows["inputs"])
    scores = _variation(streams[len(features) :], windows["impact"])
    return {
        "inputs": Variation(past.tau + scores.tau, past.error + scores.error),
        "quality": _variation(qualities(bare.features), windows["quality"]),
        "loss": _variation(loss_streams(bare), windows["loss"]),
        "calibration": _variation(residual_streams(bare), windows["calibration"]),
        "slices": _variation(slice_streams(bare), windows["slices"]),
        "labels": _label_variation(bare, windows["labels"]),
    }


def _variation(each: Sequence[Stream], windows: Integers) -> Variation:
    streams = Streams(each)
    quantile = chdtri(np.maximum(np.arange(len(windows) + 1), 1), CONFIDENCE)
    tau = np.minimum(natural_variation(streams, windows, quantile), NEVER)
    totals, rows = streams.sums(windows)
    n = np.maximum(rows.sum(axis=0), 1.0)
    w = max(len(windows), 2)
    error = np.sqrt(np.maximum(np.square(totals).sum(axis=0) * w / (w - 1) / n**2, 1.0 / n))
    return Variation(tuple(tau.tolist()), tuple(error.tolist()))


def _label_variation(bare: Baseline, windows: Integers) -> Variation:
    if not len(windows):
        return Variation((LARGEST_TOLERANCE,), (0.0,))
    return _variation([label_stream(bare)], windows)


def _unmonitorable(fitted: Baseline) -> tuple[str, ...]:
    """Name what varies too much by itself, or has too few rows, to be watched."""
    families = {
        "inputs": (input_streams(fitted), "inputs"),
        "quality": (qualities(fitted.features), "quality"),
        "loss": (loss_streams(fitted), "loss"),
        "calibration": (residual_streams(fitted), "calibration"),
        "slices": (slice_streams(fitted), "slices"),
        "labels": ([label_stream(fitted)], "labels"),
    }
    found = [] if fitted.volume else ["volume: fewer than 10 whole reference windows"]
    for family, (streams, detector) in families.items():
        variation = fitted.variation[family]
        tolerances = variation.tolerances(fitted.factors[detector])
        for stream, tau, error, tolerance in zip(
            streams, variation.tau, variation.error, tolerances, strict=True
        ):
            name = (
                stream.what
                if stream.aspect in ("mean", "share")
                else (f"{stream.what} ({stream.aspect})")
            )
            if tolerance > LARGEST_TOLERANCE:
                found.append(f"{name}: varies by {tau:.2g} sd from window to window")
            elif family in BETTING and tolerance + 2 * error > LARGEST_TOLERANCE:
                found.append(f"{name}: {stream.rows} reference rows are too few")
    return tuple(found)

"""The streams of a baseline, family by family, in the order in which their variation is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate

import numpy as np

from shared.drift.baseline import Baseline, Residuals, Watched
from shared.drift.cells import Cells
from shared.drift.scores import missing_streams, shape_streams, share_stream, strange_streams
from shared.drift.streams import Floats, Indices, Integers, Stream


def _shapes(watched: Sequence[Watched], prefix: str, start: int = 0) -> list[Stream]:
    """Score the shapes of columns that stand side by side from `start` on."""
    return [
        stream.moved_to(place)
        for one, place in zip(watched, _starts(watched, start), strict=True)
        for stream in shape_streams(prefix + one.name, one.cells, np.array(one.counts))
    ]


def quality_streams(baseline: Baseline) -> list[Stream]:
    """Score null and infinite values of features."""
    return _shares(baseline.features, missing_streams)


def support_streams(baseline: Baseline) -> list[Stream]:
    """Score values of features that the reference does not reach."""
    return _shares(baseline.features, strange_streams)


def _shares(
    watched: Sequence[Watched], scored: Callable[[str, Cells, Integers], list[Stream]]
) -> list[Stream]:
    return [
        stream.moved_to(place)
        for one, place in zip(watched, _starts(watched, 0), strict=True)
        for stream in scored(one.name, one.cells, np.array(one.counts))
    ]


def input_streams(baseline: Baseline) -> list[Stream]:
    """Streams of features, then of scores."""
    start = sum(one.cells.width for one in baseline.features)
    return [*_shapes(baseline.features, "feature:"), *_shapes(baseline.scores, "", start)]


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
    return rate_stream("labels", 0, 1.0 - baseline.arrived, baseline.n)


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
    what: str, cells: Indices, values: Floats, rows: Floats, n: int, *, upward: bool = False
) -> Stream | None:
    """Scale values of mean 0; None if they do not vary."""
    shares = rows / rows.sum()
    sd = float(np.sqrt(shares @ np.square(values)))
    if n == 0 or sd < 1e-12:
        return None
    return Stream(what, "mean", cells, values / sd, shares, n, upward, sd)


def _starts(watched: Sequence[Watched], start: int) -> list[int]:
    return list(accumulate((one.cells.width for one in watched), initial=start))[:-1]


def rate_stream(what: str, start: int, share: float, rows: float) -> Stream:
    """Score the share of the first of two cells, upwards."""
    shares = np.array([share, 1.0 - share])
    cells = np.array([0, 1])
    return share_stream(what, "share", cells, cells[:1], shares, rows, upward=True).moved_to(start)

"""Reference rows: what a baseline is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from shared.drift.baseline import Task
from shared.drift.cells import Column
from shared.drift.streams import Floats

Times: TypeAlias = NDArray[np.int64]


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

"""What detectors read: counts of one window, and nothing that depends on a policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Counts: TypeAlias = NDArray[np.int64]

LEAST_ROWS = 200


@dataclass(frozen=True, slots=True)
class Inputs:
    """Events that one version has predicted, by the time of the event.

    Attributes:
        start, end: microseconds.
        n: rows.
        late: how many of them came after the window was first counted.
        counts: (width,) rows in each cell of `InputCells`.
        total: rows of all versions; None: this one was alone.

    """

    start: int
    end: int
    n: int
    late: int
    counts: Counts
    total: int | None = None


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Matured predictions of one version, by the time of the event.

    Attributes:
        start, end: microseconds.
        n: predictions.
        labelled: those with a label at maturity.
        losses: (loss_width,) labelled rows in each cell of their loss.
        residuals: (residual_width,) labelled rows in each cell of score and label.
        slices: (feature, value) -> (loss_width,).

    """

    start: int
    end: int
    n: int
    labelled: int
    losses: Counts
    residuals: Counts
    slices: Mapping[tuple[str, str], Counts] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Intake:
    """Events as they came in, before any model saw them.

    Attributes:
        start, end: microseconds.
        received: all of them.
        quarantined: those that were refused.
        fields: name -> events refused because of it.

    """

    start: int
    end: int
    received: int
    quarantined: int
    fields: Mapping[str, int] = field(default_factory=dict)


Window: TypeAlias = Inputs | Outcomes | Intake

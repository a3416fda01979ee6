"""What must come of a stream, computed from what was sent and from nothing else."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.storm.said import (
    DAY0,
    HORIZON_H,
    LATENESS_H,
    WINDOW_H,
    Label,
    Prediction,
    Said,
    at,
    moment,
)

Word = tuple[bool | None, str | None, str]  # label, label_time, status


@dataclass(slots=True)
class Sums:
    """What a window holds of one version, whole or in one slice."""

    n: int = 0
    labelled: int = 0
    loss: float = 0.0
    predicted: float = 0.0
    observed: float = 0.0

    def add(self, other: Sums) -> None:
        """Add another part."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def equals(self, other: Sums) -> bool:
        """Compare: counts exactly, sums of floats up to their order."""
        return all(
            math.isclose(getattr(self, name), getattr(other, name), rel_tol=1e-9, abs_tol=1e-9)
            for name in self.__slots__
        )


Cell = tuple[datetime, str, str]  # start of the window, version, carrier; "" for all carriers
Cells = dict[Cell, Sums]


@dataclass(slots=True)
class Truth:
    """What must be read of one model in the end.

    Attributes:
        words: id -> its outcomes: the first one, and each correction.
        cells: of all windows.

    """

    words: dict[str, list[Word]] = field(default_factory=dict)
    cells: Cells = field(default_factory=lambda: defaultdict(Sums))

    @property
    def finals(self) -> dict[str, Word]:
        """What a reader keeps per id."""
        return {event_id: words[-1] for event_id, words in self.words.items()}


def truth_of(said: Said) -> Truth:
    """Compute what must come of a stream."""
    truth = Truth()
    for one in said.predictions.values():
        labels = said.labels.get(one.id, [])
        deadline = one.hours + HORIZON_H + LATENESS_H
        first = _newest([label for label in labels if label.hours <= deadline])
        later = [label for label in labels if label.hours > deadline]
        truth.words[one.id] = _words(said, first, later)
        _count(truth.cells, one, _value(said, first))
    return truth


def _newest(labels: Sequence[Label]) -> Label | None:
    """Find the newest label; of several that were known at one time, the one sent last."""
    newest = None
    for label in labels:
        if newest is None or label.hours >= newest.hours:
            newest = label
    return newest


def _words(said: Said, first: Label | None, later: Sequence[Label]) -> list[Word]:
    time = at(first.hours) if first else None
    words: list[Word] = [(_value(said, first), time, "labelled" if first else "unlabelled")]
    newest = first
    for label in later:
        if newest is None or label.hours >= newest.hours:
            newest = label
            words.append((label.value, at(label.hours), "corrected"))
    return words


def _value(said: Said, label: Label | None) -> bool | None:
    if label is None:
        return False if said.missing == "negative" else None
    return label.value


def _count(cells: Cells, one: Prediction, value: bool | None) -> None:
    length = timedelta(hours=WINDOW_H)
    start = DAY0 + (moment(one.hours) - DAY0) // length * length
    sums = Sums(n=1)
    if value is not None:
        loss = -math.log(one.score if value else 1 - one.score)
        sums = Sums(1, 1, loss, one.score, float(value))
    for carrier in ("", one.carrier):
        cells[start, one.version, carrier].add(sums)

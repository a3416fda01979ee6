"""Sums over outcomes and counts by cell: of one version in one window, whole and by slice."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

MOST_SLICES = 1000

Name = TypeVar("Name", bound=Hashable)
Terms: TypeAlias = NDArray[np.float64]
Places: TypeAlias = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Widths:
    """How many cells the baseline of a version has; `baseline` is its digest."""

    baseline: str
    losses: int
    residuals: int


@dataclass(frozen=True, slots=True)
class Measured:
    """Outcomes of one partition as columns, in log order.

    Attributes:
        offsets: (n,) of the predictions.
        times: (n,) event times, microseconds.
        versions: n versions that predicted.
        slices: feature -> n values, None where a prediction is in no slice of it.
        terms: (8, n) what each outcome adds to the fields of `Sums`.
        loss_cells: (n,) of the baseline of its version; -1 for none.
        residual_cells: (n, k) likewise.
        widths: version -> how many cells there are; left out where there are none.

    """

    offsets: NDArray[np.int64]
    times: NDArray[np.int64]
    versions: Sequence[str]
    slices: Mapping[str, Sequence[str | None]]
    terms: Terms
    loss_cells: Places
    residual_cells: Places
    widths: Mapping[str, Widths]

    @property
    def losses(self) -> NDArray[np.float64]:
        """(n,) losses, NaN without a label."""
        return losses_of(self.terms)

    def only(self, rows: NDArray[np.intp]) -> Measured:
        """Choose rows, in log order."""
        if len(rows) == len(self.offsets):
            return self
        chosen = rows.tolist()
        return Measured(
            self.offsets[rows],
            self.times[rows],
            [self.versions[row] for row in chosen],
            {name: [values[row] for row in chosen] for name, values in self.slices.items()},
            self.terms[:, rows],
            self.loss_cells[rows],
            self.residual_cells[rows],
            self.widths,
        )


class Sums(Struct, array_like=True):
    """Sums over outcomes; all but n over the labelled ones, and their losses by cell."""

    n: int = 0
    labelled: int = 0
    loss: float = 0.0
    loss_squared: float = 0.0
    predicted: float = 0.0
    observed: float = 0.0
    variance: float = 0.0
    cost: float = 0.0
    losses: list[int] = field(default_factory=list)

    def add(self, other: Sums) -> None:
        """Add the sums of other outcomes."""
        for name in SUMMED:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.losses = added(self.losses, other.losses)


SUMMED = Sums.__struct_fields__[:8]


class VersionSums(Struct, array_like=True):
    """The sums of one version, whole and by feature -> value.

    Attributes:
        residuals: labelled outcomes by cell.
        baseline: digest of the baseline whose cells these are; None where none are counted.

    """

    total: Sums = field(default_factory=Sums)
    slices: dict[str, dict[str, Sums]] = field(default_factory=dict)
    residuals: list[int] = field(default_factory=list)
    baseline: str | None = None

    def count(self, rows: Measured, widths: Widths | None) -> None:
        """Add outcomes of the version."""
        width = widths.losses if self._agrees(widths.baseline if widths else None) and widths else 0
        whole = np.zeros(len(rows.offsets), np.int64)
        accumulate([self.total], whole, rows.terms)
        spread([self.total], whole, rows.loss_cells, width)
        for feature, values in rows.slices.items():
            places, names = numbered(values)
            sums = [Sums() if name is None else self._slice(feature, name) for name in names]
            accumulate(sums, places, rows.terms)
            spread(sums, places, rows.loss_cells, width)
        if width and widths:
            found = rows.residual_cells[rows.residual_cells >= 0]
            new = np.bincount(found, minlength=widths.residuals).tolist()
            self.residuals = added(self.residuals, new)

    def add(self, other: VersionSums) -> None:
        """Add the sums of other outcomes."""
        agreed = self._agrees(other.baseline)
        self.total.add(other.total)
        for feature, by_value in other.slices.items():
            for value, sums in by_value.items():
                self._slice(feature, value).add(sums)
        self.residuals = added(self.residuals, other.residuals)
        if not agreed:
            self._forget_cells()

    def _agrees(self, baseline: str | None) -> bool:
        """Tell whether all outcomes are in the same cells; else there are no cells any more."""
        if self.total.n == 0:
            self.baseline = baseline
        if self.baseline != baseline:
            self._forget_cells()
        return self.baseline == baseline

    def _forget_cells(self) -> None:
        self.baseline, self.residuals, self.total.losses = None, [], []
        for by_value in self.slices.values():
            for sums in by_value.values():
                sums.losses = []

    def _slice(self, feature: str, value: str) -> Sums:
        by_value = self.slices.setdefault(feature, {})
        if value not in by_value:
            if len(by_value) >= MOST_SLICES:
                return Sums()
            by_value[value] = Sums()
        return by_value[value]


def losses_of(terms: Terms) -> Terms:
    """Take the (n,) losses out of (8, n) terms; NaN without a label."""
    return np.where(terms[1] > 0, terms[2], np.nan)


def numbered(names: Sequence[Name]) -> tuple[NDArray[np.int64], list[Name]]:
    """Give names numbers by first appearance: (n,) numbers, and the different names."""
    if len(names) and list(names).count(names[0]) == len(names):
        return np.zeros(len(names), np.int64), [names[0]]
    numbers: dict[Name, int] = {}
    found = (numbers.setdefault(name, len(numbers)) for name in names)
    return np.fromiter(found, np.int64, len(names)), list(numbers)


def accumulate(sums: Sequence[Sums], places: NDArray[np.int64], terms: Terms) -> None:
    """Add rows to sums strictly one after another, so that where a batch ends leaves no trace.

    `bincount` adds in the order of rows, and the sums as they were stand before the first row.

    Args:
        sums: k sums.
        places: (n,) which of them each row is added to.
        terms: (8, n) what is added to their fields.

    """
    where = np.concatenate((np.arange(len(sums)), places))
    for name, column in zip(SUMMED, terms, strict=True):
        before = [getattr(one, name) for one in sums]
        after = np.bincount(where, np.concatenate((before, column)), len(sums)).tolist()
        for one, old, new in zip(sums, before, after, strict=True):
            setattr(one, name, type(old)(new))


def spread(sums: Sequence[Sums], places: NDArray[np.int64], cells: Places, width: int) -> None:
    """Add rows to the losses of sums.

    Args:
        sums: k sums.
        places: (n,) which of them each row is added to.
        cells: (n,) of the loss, below `width`; -1 for none.
        width: how many cells there are; 0 adds nothing.

    """
    if not width:
        return
    flat = (places * width + cells)[cells >= 0]
    counts = np.bincount(flat, minlength=len(sums) * width).reshape(len(sums), width)
    for one, new in zip(sums, counts.tolist(), strict=True):
        one.losses = added(one.losses, new)


def added(some: list[int], others: list[int]) -> list[int]:
    """Add counts by cell; nothing counted is as good as zeros."""
    if not some or not others:
        return some or others
    return [one + other for one, other in zip(some, others, strict=True)]

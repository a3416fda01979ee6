"""The stream as it was, and what of it could be known at a time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from contracts.declaration import Declaration
from services.training.run.dataset import Rows
from shared.drift.cells import Column

Times = NDArray[np.int64]
Span = tuple[int, int]


@dataclass(frozen=True)
class History:
    """Events in the order of time.

    Attributes:
        rows: of the offline table; a missing label is filled in where it means a negative.
        maturity: microseconds from an event until its outcome is published: horizon and lateness.

    """

    rows: Rows
    maturity: int

    @cached_property
    def times(self) -> Times:
        """Event times, microseconds."""
        return self.rows.times

    @cached_property
    def known(self) -> Times:
        """When the outcome as it stands here could be read: matured, or corrected after that."""
        matured = self.times + self.maturity
        corrected = self.arrived & (self.rows.label_times > matured)
        return np.where(corrected, self.rows.label_times, matured)

    @cached_property
    def labels(self) -> NDArray[np.float64]:
        """NaN where there is none."""
        return self.rows.labels

    @cached_property
    def labelled(self) -> NDArray[np.bool_]:
        """Which events have a label."""
        return ~np.isnan(self.labels)

    @cached_property
    def arrived(self) -> NDArray[np.bool_]:
        """Of which events a label came."""
        return self.rows.arrived

    @cached_property
    def columns(self) -> dict[str, Column]:
        """Features as detectors count them."""
        return {name: self.rows.column(name) for name in self.rows.declaration.spec.features}

    @cached_property
    def slices(self) -> dict[str, NDArray[np.object_]]:
        """Values of the declared slices."""
        spec = self.rows.declaration.spec
        return {name: np.array(self.rows.texts(name), dtype=object) for name in spec.slices}

    def between(self, start: int, end: int) -> slice:
        """Find the events of a time, until before `end`."""
        first, last = np.searchsorted(self.times, [start, end], side="left")
        return slice(int(first), int(last))

    def pinned(
        self, declaration: Declaration, until: int, at: int, excluded: Iterable[Span]
    ) -> Rows:
        """Take the events before `until` whose outcomes could be read at `at`.

        Args:
            declaration: that the rows are to carry.
            until: event time, exclusive.
            at: time of the decision.
            excluded: event times that are left out.

        """
        chosen = self._chosen(until, at)
        for start, end in excluded:
            chosen &= (self.times < start) | (self.times >= end)
        return Rows(declaration, self.rows.take(np.flatnonzero(chosen)).table)

    def count(self, until: int, at: int, spans: Iterable[Span] | None = None) -> int:
        """Count labels of events before `until` that could be read at `at`, in all or in spans."""
        chosen = self._chosen(until, at) & self.labelled
        if spans is not None:
            within = np.zeros(len(chosen), dtype=bool)
            for start, end in spans:
                within |= (self.times >= start) & (self.times < end)
            chosen &= within
        return int(chosen.sum())

    def _chosen(self, until: int, at: int) -> NDArray[np.bool_]:
        return (self.times < until) & (self.known <= at)

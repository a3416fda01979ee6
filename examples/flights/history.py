"""Facts of many groups, looked up by time: what had happened in a group within a window."""

from dataclasses import dataclass

import numpy as np

from examples.source import Ints, Nullable

# A minute since 1970 takes 25 bits until the year 2033; the group stands above it.
_GROUP = 2**25


@dataclass(frozen=True)
class History:
    """Facts sorted by group and minute, with running totals, so that a window costs two searches.

    Windows are half open: `start` belongs to them, `end` does not.
    """

    keys: Ints
    values: Ints
    totals: Ints

    @classmethod
    def of(cls, group: Ints, minute: Ints, value: Ints) -> "History":
        """Sort facts of groups (0 or above) that happened at `minute`; ties keep their order."""
        keys = group * _GROUP + minute
        order = np.argsort(keys, kind="stable")
        totals = np.concatenate(([0], np.cumsum(value[order])))
        return cls(keys[order], value[order], totals)

    def count(self, group: Ints, start: Ints, end: Ints) -> Ints:
        """Count the facts of `group` within each window."""
        low, high = self._bounds(group, start, end)
        return high - low

    def mean(self, group: Ints, start: Ints, end: Ints) -> Nullable:
        """Return the mean value within each window, masked where there is none."""
        low, high = self._bounds(group, start, end)
        number = high - low
        total = self.totals[high] - self.totals[low]
        return np.ma.masked_array(total / np.maximum(number, 1), mask=number == 0)

    def last(self, group: Ints, start: Ints, end: Ints) -> Nullable:
        """Return the value of the last fact within each window, masked where there is none."""
        low, high = self._bounds(group, start, end)
        return np.ma.masked_array(self.values[high - 1], mask=high <= low)

    def _bounds(self, group: Ints, start: Ints, end: Ints) -> tuple[Ints, Ints]:
        base = group * _GROUP
        return np.searchsorted(self.keys, base + start), np.searchsorted(self.keys, base + end)

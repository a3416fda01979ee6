"""The headers of many records, as columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self, TypeAlias

Header: TypeAlias = tuple[str, bytes]


@dataclass(frozen=True, slots=True)
class Headers:
    """Headers of n records: some that all share, some of which each has its own value.

    Attributes:
        fixed: the same in all records, and first.
        columns: name -> the value of each record, in the order of the names.
        others: row -> all headers of a record that has others than these.

    """

    fixed: Sequence[Header] = ()
    columns: Mapping[str, Sequence[bytes]] = field(default_factory=dict)
    others: Mapping[int, Sequence[Header]] = field(default_factory=dict)

    @classmethod
    def each(cls, headers: Sequence[Sequence[Header]]) -> Self:
        """Gather headers that have nothing in common."""
        return cls(others=dict(enumerate(headers)))

    def __getitem__(self, row: int) -> list[Header]:
        if row in self.others:
            return [*self.others[row]]
        return [*self.fixed, *((name, values[row]) for name, values in self.columns.items())]

    def but(self, others: Mapping[int, Sequence[Header]]) -> Headers:
        """Give some records other headers."""
        return replace(self, others={**self.others, **others})

    def part(self, start: int, end: int) -> Headers:
        """Cut out the rows from `start` to before `end`."""
        others = {row: own for row, own in self.others.items() if start <= row < end}
        return Headers(
            self.fixed,
            {name: values[start:end] for name, values in self.columns.items()},
            {row - start: own for row, own in others.items()},
        )

    def rows(self, index: Sequence[int]) -> Headers:
        """Choose rows, in the order of `index`."""
        others = self.others
        return Headers(
            self.fixed,
            {name: [values[row] for row in index] for name, values in self.columns.items()},
            {new: others[old] for new, old in enumerate(index) if old in others} if others else {},
        )

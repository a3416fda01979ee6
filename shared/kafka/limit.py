"""When so much is parked that the code must be wrong, and not the data."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from shared.kafka.message import Parked

IN_A_ROW = 1000
SHARE = 0.5


class ParkedLimit:
    """Says when to stop.

    Nothing but parked records, so many in a row, stop a service whatever the fault: a bad deploy
    looks like bad data too. Otherwise poison never does, for whoever writes it could then stop
    us; of what is parked by a fault of ours, more than half of the last records do.

    Args:
        in_a_row: records parked one after another; also how many the share is taken of.

    """

    def __init__(self, in_a_row: int = IN_A_ROW) -> None:
        self.in_a_row = in_a_row
        self._vain = 0
        self._latest: deque[tuple[int, int]] = deque()
        self._records = self._ours = 0

    def reached(self, parked: int) -> bool:
        """Tell whether so many more parked records would be too many."""
        return self._vain + parked >= self.in_a_row

    def judge(self, records: int, parked: Sequence[Parked]) -> str | None:
        """Take in what became of some records; say why to stop, if so."""
        ours = sum(one.fault != "poison" for one in parked)
        self._vain = self._vain + records if len(parked) == records else 0
        self._latest.append((records, ours))
        self._records, self._ours = self._records + records, self._ours + ours
        while self._records - self._latest[0][0] >= self.in_a_row:
            old = self._latest.popleft()
            self._records, self._ours = self._records - old[0], self._ours - old[1]
        if self._vain >= self.in_a_row:
            return f"{self._vain} records parked in a row"
        if self._records >= self.in_a_row and self._ours > SHARE * self._records:
            return f"{self._ours} of the last {self._records} records parked by a fault of ours"
        return None

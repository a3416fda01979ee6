"""What a batch of records says, as columns."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from services.validation.domain.contents import Cells, cell
from services.validation.domain.judgement import Faulty, Sound

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
NO_TIME = int(np.iinfo(np.int64).min)


@dataclass(slots=True)
class Columns:
    """What n records say, in log order; a row that is not sound says nothing but its time.

    Attributes:
        names: of the values.
        sound: (n,) whether it is what was declared.
        ids: texts.
        times: texts, as they were written.
        time_us: (n,) event time in microseconds since 1970, or NO_TIME where none is known.
        cells: (n, names) values.

    """

    names: tuple[str, ...]
    sound: NDArray[np.bool_]
    ids: list[bytes]
    times: list[bytes]
    time_us: NDArray[np.int64]
    cells: Cells

    @property
    def time_ms(self) -> NDArray[np.int64]:
        """(n,) event time in milliseconds, or NO_TIME."""
        return np.where(self.time_us == NO_TIME, NO_TIME, self.time_us // 1000)

    def splice(self, row: int, verdict: Sound | Faulty) -> None:
        """Put in its place what was judged alone."""
        self.sound[row] = isinstance(verdict, Sound)
        self.time_us[row] = NO_TIME if verdict.time is None else microseconds(verdict.time)
        if isinstance(verdict, Sound):
            self.ids[row], self.times[row] = verdict.id.encode(), verdict.spelled_time.encode()
            self.cells[row] = [cell(value) for value in verdict.values]


def microseconds(time: datetime) -> int:
    """Count from 1970."""
    return (time - EPOCH) // MICROSECOND

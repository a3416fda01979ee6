"""How far event time has come: of a model's predictions, and of one partition's labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NEVER = -(2**62)


@dataclass(frozen=True, slots=True)
class Heard:
    """What a partition of predictions has said last.

    Attributes:
        time: its greatest event time, microseconds.
        at: wall seconds at which it last said something.

    """

    time: int
    at: float


def model_watermark(
    partitions: Mapping[int, Heard], *, held: int, now: float, idle_s: float
) -> int:
    """Find the event time that every partition which still speaks has passed.

    The least over partitions heard within `idle_s` wall seconds. It never falls below `held`, its
    value before, and stays there while all are idle. Partitions that never spoke do not count.

    Returns:
        Microseconds; NEVER as long as nothing was heard.

    """
    awake = [heard.time for heard in partitions.values() if now - heard.at <= idle_s]
    return max(held, min(awake)) if awake else held


def matured(times: NDArray[np.int64], limit: int) -> int:
    """Count how many of a log's first items are due.

    Args:
        times: (n,) event times in log order, microseconds.
        limit: latest event time that is due.

    """
    waiting = np.flatnonzero(times > limit)
    return int(waiting[0]) if len(waiting) else len(times)


class LabelClock:
    """The watermark of one partition's labels since the position was last set.

    Labels themselves carry it. Where none come, it follows the model's watermark `patience_s` wall
    seconds behind, because no label is left unread that could have come before.

    Args:
        patience_s: wall seconds that labels have to come after the predictions of their time.

    """

    def __init__(self, patience_s: float) -> None:
        self.patience_s = patience_s
        self.watermark = NEVER
        self._asked: tuple[int, float] | None = None

    def heard(self, time: int) -> None:
        """Note the time of a label."""
        self.watermark = max(self.watermark, time)
        self._asked = None

    def curious(self, now: float) -> bool:
        """Tell whether it helps to ask now, wall seconds, if every label there is has been read."""
        return self._asked is None or now - self._asked[1] >= self.patience_s

    def quiet(self, watermark: int, now: float) -> None:
        """Note that every label there is has been read.

        Args:
            watermark: of the model, now.
            now: wall seconds.

        """
        if self._asked is None:
            self._asked = (watermark, now)
        elif now - self._asked[1] >= self.patience_s:
            self.watermark = max(self.watermark, self._asked[0])
            self._asked = (watermark, now)

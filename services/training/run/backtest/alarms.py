"""What would have been told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from services.training.run.backtest.history import Span
from shared.drift.verdicts import Contribution


@dataclass(frozen=True, slots=True)
class Alarm:
    """What would have been told.

    Attributes:
        at: when, microseconds.
        window: that gave it.
        since: change point.
        kind: what it is for: a reason to retrain, a fault of the data, or to be known.
        blamed: what has moved.

    """

    at: int
    window: Span
    detector: str
    version: str
    since: int
    kind: Literal["retrain", "fault", "inform"]
    evidence: float
    level: float
    blamed: tuple[str, ...]
    contributions: tuple[Contribution, ...] = ()
    summary: str = ""

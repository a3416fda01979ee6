"""What would have been told, and the times under a fault of the data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from services.training.run.backtest.history import Span
from shared.drift.verdicts import Contribution, Verdict


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


@dataclass
class Alert:
    """A time under a fault of the data; open while `until` is None."""

    detector: str
    since: int
    blamed: tuple[str, ...]
    summary: str
    until: int | None = None


@dataclass
class Told:
    """What a detector has told since all was well.

    Attributes:
        asked: end of the window at which it last asked for a run, microseconds.

    """

    blamed: set[str] = field(default_factory=set)
    asked: int | None = None

    def adds(self, blamed: Sequence[str], *, asks: bool, until: int, cooldown: int) -> bool:
        """Take note of an alarm; tell whether it blames more, or asks again after a cool-down."""
        again = asks and (self.asked is None or until - self.asked >= cooldown)
        if self.blamed and self.blamed.issuperset(blamed) and not again:
            return False
        self.blamed.update(blamed)
        self.asked = until if asks else self.asked
        return True


def begin(alerts: list[Alert], verdict: Verdict) -> None:
    """Begin a time under a fault, or widen the one that is open."""
    for alert in alerts:
        if alert.detector == verdict.detector and alert.until is None:
            alert.since = min(alert.since, verdict.since)
            alert.blamed = tuple(sorted({*alert.blamed, *verdict.listed}))
            return
    alerts.append(Alert(verdict.detector, verdict.since, verdict.listed, verdict.summary))


def end(alerts: Sequence[Alert], detector: str, at: int) -> None:
    """End the time under a fault that a detector has found."""
    for alert in alerts:
        if alert.detector == detector and alert.until is None:
            alert.until = at


def spoilt(alerts: Sequence[Alert], since: int, until: int) -> bool:
    """Tell whether evidence rests on a fault: it goes on, or covers half of the evidence."""
    return any(
        alert.since < until
        if alert.until is None
        else 2 * (min(alert.until, until) - max(alert.since, since)) >= until - since
        for alert in alerts
    )

"""The books of a run: what the topics hold, counted by id."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec


class _Identified(msgspec.Struct):
    """An event or a label, as far as the books need it."""

    id: str


class _Prediction(msgspec.Struct):
    id: str
    time: datetime
    version: str


class _Outcome(msgspec.Struct):
    id: str
    time: datetime
    version: str
    score: float
    label: float | bool | None
    label_time: datetime | None
    status: str
    loss: float | None


@dataclass(frozen=True, slots=True)
class Cost:
    """Prices of a binary decision, and the score from which it is true."""

    threshold: float
    miss: float
    alarm: float

    def of(self, score: float, late: bool) -> float:
        """Price one decision."""
        if score >= self.threshold:
            return 0.0 if late else self.alarm
        return self.miss if late else 0.0


@dataclass(slots=True)
class Mean:
    """A running mean."""

    total: float = 0.0
    n: int = 0

    def add(self, value: float) -> None:
        """Take one value in."""
        self.total += value
        self.n += 1

    @property
    def value(self) -> float | None:
        """The mean; None of nothing."""
        return self.total / self.n if self.n else None


@dataclass(slots=True)
class Ledger:
    """Counts what was published and what came of it; every figure is by id, read from the topics.

    Args:
        patience: label horizon and allowed lateness together; older predictions have matured.
        score_from: outcomes of earlier events do not enter `loss` and `cost`.
        cost: prices of decisions; None where the task has none.

    """

    patience: timedelta
    score_from: datetime
    cost: Cost | None = None
    events: set[str] = field(default_factory=set)
    labels: set[str] = field(default_factory=set)
    predicted: set[str] = field(default_factory=set)
    quarantined: set[str] = field(default_factory=set)
    quarantined_labels: int = 0
    undecodable: int = 0
    unlabelled: int = 0
    outcomes: set[str] = field(default_factory=set)
    duplicates: int = 0
    waiting: dict[str, datetime] = field(default_factory=dict)
    newest: dict[int, datetime] = field(default_factory=dict)
    loss: Mean = field(default_factory=Mean)
    spent: Mean = field(default_factory=Mean)
    weeks: dict[datetime, Mean] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)

    def event(self, value: bytes) -> None:
        """Enter a record of the events topic."""
        self._identified(value, self.events)

    def label(self, value: bytes) -> None:
        """Enter a record of the labels topic."""
        self._identified(value, self.labels)

    def quarantine(self, value: bytes, came_from: str) -> None:
        """Enter a quarantined record; `came_from` is the topic it was sent to."""
        if came_from.endswith(".labels.v1"):
            self.quarantined_labels += 1
        else:
            self._identified(value, self.quarantined)

    def prediction(self, value: bytes, partition: int) -> None:
        """Enter a prediction."""
        one = _PREDICTION.decode(value)
        if one.id in self.predicted:
            self.duplicates += 1
            return
        self.predicted.add(one.id)
        if one.id not in self.outcomes:
            self.waiting[one.id] = one.time
        self.newest[partition] = max(one.time, self.newest.get(partition, one.time))
        self.versions[one.version] = self.versions.get(one.version, 0) + 1

    def outcome(self, value: bytes) -> None:
        """Enter an outcome; corrections replace nothing here, copies are counted."""
        one = _OUTCOME.decode(value)
        if one.status == "corrected":
            return
        if one.id in self.outcomes:
            self.duplicates += 1
            return
        self.outcomes.add(one.id)
        self.waiting.pop(one.id, None)
        if one.label is None or one.loss is None:
            self.unlabelled += 1
            return
        week = one.time - timedelta(
            days=one.time.weekday(), hours=one.time.hour, minutes=one.time.minute
        )
        self.weeks.setdefault(week, Mean()).add(one.loss)
        if one.time >= self.score_from:
            self.loss.add(one.loss)
            if self.cost is not None:
                self.spent.add(self.cost.of(one.score, bool(one.label)))

    @property
    def watermark(self) -> datetime | None:
        """The event time that every partition with predictions has reached."""
        return min(self.newest.values(), default=None)

    @property
    def pending(self) -> int:
        """Predictions whose time to be labelled had not run out when the stream ended."""
        return len(self.waiting) - self.overdue

    @property
    def overdue(self) -> int:
        """Matured predictions without an outcome."""
        if self.watermark is None:
            return 0
        matured = self.watermark - self.patience
        return sum(time <= matured for time in self.waiting.values())

    @property
    def unanswered(self) -> int:
        """Events neither predicted nor quarantined."""
        return len(self.events - self.predicted - self.quarantined)

    @property
    def lost(self) -> int:
        """Whatever the platform owes and has not delivered."""
        return self.unanswered + self.overdue

    def counts(self) -> dict[str, int]:
        """Return the figures of the report."""
        return {
            "events": len(self.events),
            "predictions": len(self.predicted),
            "labels": len(self.labels),
            "outcomes": len(self.outcomes),
            "unlabelled": self.unlabelled,
            "pending": self.pending,
            "quarantined": len(self.quarantined) + self.undecodable,
            "lost": self.lost,
            "duplicates": self.duplicates,
        }

    def _identified(self, value: bytes, ids: set[str]) -> None:
        try:
            ids.add(_IDENTIFIED.decode(value).id)
        except msgspec.DecodeError:
            self.undecodable += 1


_IDENTIFIED = msgspec.json.Decoder(_Identified)
_PREDICTION = msgspec.json.Decoder(_Prediction)
_OUTCOME = msgspec.json.Decoder(_Outcome)

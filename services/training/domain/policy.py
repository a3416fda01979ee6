"""Whether to train: one rule for every trigger, and the reason in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

Kind = Literal["drift", "age", "volume", "request"]


@dataclass(frozen=True, slots=True)
class Rules:
    """What a declaration says about retraining; `volume` None: never by volume."""

    max_age: timedelta
    cooldown: timedelta
    min_labels: int
    volume: int | None


@dataclass(frozen=True, slots=True)
class Trigger:
    """What asks for a run; `version` is the one on which drift was measured."""

    kind: Kind
    version: str | None = None


@dataclass(frozen=True, slots=True)
class LastRun:
    """The last run that was started, and what stood in the store then."""

    at: datetime
    labels: int
    ended: bool


@dataclass(frozen=True, slots=True)
class Situation:
    """All that the rule looks at.

    Attributes:
        now: event time: the watermark of the model's matured outcomes.
        labels: matured labels at hand.
        champion: version that decides.
        trained_at: event time of the last row the champion has seen; None: it is the prior.
        last: the last run; None: there was none.

    """

    now: datetime
    labels: int
    champion: str
    trained_at: datetime | None
    last: LastRun | None

    @property
    def new_labels(self) -> int:
        """Labels that have come since the last run."""
        return max(0, self.labels - (self.last.labels if self.last else 0))


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a run starts, and why."""

    started: bool
    reason: str


def verdict(trigger: Trigger, situation: Situation, rules: Rules) -> Verdict:
    """Decide on a trigger: started, or suppressed by the first obstacle there is.

    Obstacles, in this order: a run is in progress; drift was measured on a version that no longer
    decides; too few matured labels; the cool-down, counted in event time from the start of the
    last run, whatever came of it.
    """
    obstacle = next(_obstacles(trigger, situation, rules), None)
    if obstacle:
        return Verdict(False, f"suppressed: {obstacle}")
    return Verdict(True, f"started: {_cause(trigger, situation, rules)}")


def due(situation: Situation, rules: Rules) -> Trigger | None:
    """Tell which trigger time and labels alone give rise to, if any.

    They ask again by themselves, so nothing is due while a run goes on or cools down.

    age: the champion's last row is older than `max_age`. volume: `volume` new labels have come
    since the last run, or the champion is still the prior and there are labels enough.
    """
    last = situation.last
    if last and (not last.ended or situation.now - last.at < rules.cooldown):
        return None
    if situation.trained_at and situation.now - situation.trained_at > rules.max_age:
        return Trigger("age")
    first = situation.trained_at is None and situation.labels >= rules.min_labels
    if first or (rules.volume is not None and situation.new_labels >= rules.volume):
        return Trigger("volume")
    return None


def window_start(moment: datetime, length: timedelta) -> datetime:
    """Find the start of the tumbling window, aligned to 1970 in UTC, that holds `moment`."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return epoch + (moment - epoch) // length * length


def _obstacles(trigger: Trigger, situation: Situation, rules: Rules) -> Iterator[str]:
    last = situation.last
    if last and not last.ended:
        yield "a run is in progress"
    if trigger.version not in (None, situation.champion):
        yield f"drift was measured on version {trigger.version} which is no longer the champion"
    if situation.labels < rules.min_labels:
        yield f"{situation.labels:,} matured labels, {rules.min_labels:,} needed"
    if last and situation.now - last.at < rules.cooldown:
        ago, cooldown = _words(situation.now - last.at), _words(rules.cooldown)
        yield f"cooldown, last run {ago} ago, cool-down {cooldown}"


def _cause(trigger: Trigger, situation: Situation, rules: Rules) -> str:
    labels = f"{situation.labels:,} matured labels"
    if trigger.kind == "age" and situation.trained_at:
        age = _words(situation.now - situation.trained_at)
        return f"the champion is {age} old, at most {_words(rules.max_age)} allowed; {labels}"
    if trigger.kind == "volume":
        if situation.trained_at is None:
            return f"first model, {labels}"
        return f"{situation.new_labels:,} new labels since the last run; {labels}"
    if trigger.kind == "drift":
        return f"drift of version {situation.champion}; {labels}"
    return f"requested; {labels}"


def _words(span: timedelta) -> str:
    """Write a span in its largest whole unit, such as 3d or 5h."""
    seconds = max(0, int(span.total_seconds()))
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"

"""What a decision looks at: rules, triggers, and how things stand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

Kind = Literal["drift", "age", "volume", "request"]


@dataclass(frozen=True, slots=True)
class Rules:
    """What a declaration says about retraining.

    Attributes:
        min_labels: labels that a run needs, and that must be new for it.
        volume: new labels that are a reason for a run; None: as many as the champion has seen.
        lasting: how long a change must have lasted before a run learns from it.

    """

    max_age: timedelta
    cooldown: timedelta
    min_labels: int
    volume: int | None
    lasting: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Drift:
    """An alarm on a version.

    Attributes:
        since: change point.
        until: end of the window that gave the alarm.
        harmful: labels show it; otherwise it only informs.
        summary: what monitor says about it.

    """

    event_id: str
    version: str
    detector: str
    since: datetime
    until: datetime
    harmful: bool
    summary: str = ""


@dataclass(frozen=True, slots=True)
class Trigger:
    """What asks for a run."""

    kind: Kind
    drift: Drift | None = None


@dataclass(frozen=True, slots=True)
class LastRun:
    """The last run that was started, what stood in the store then, and what came of it.

    Attributes:
        labels: at hand when it was decided.
        brought: a candidate, taken or not.

    """

    run_id: str
    at: datetime
    labels: int
    ended: bool
    brought: bool


@dataclass(frozen=True, slots=True)
class Situation:
    """All that the rule looks at.

    Attributes:
        now: event time: the watermark of the model's matured outcomes.
        version: of the store; None while it is empty.
        labels: matured labels at hand, without those under a data-quality alert.
        champion: version that decides.
        trained_at: event time of the last row the champion has seen; None: it is the prior.
        learned: labels at hand when the champion's run was decided; None: no run of ours.
        last: the last run; None: there was none.
        tried: labels at hand at the last run that brought a candidate and was not about drift;
            None: at the last run.
        drift: harmful drift of the champion that no run has answered.
        changed: labels since its change point.
        alerts: what is wrong with the data now, in words, by id of the alert.

    """

    now: datetime
    version: int | None
    labels: int
    champion: str
    trained_at: datetime | None
    learned: int | None
    last: LastRun | None
    tried: int | None = None
    drift: Drift | None = None
    changed: int = 0
    alerts: tuple[tuple[str, str], ...] = ()

    @property
    def new_labels(self) -> int:
        """Labels that have come since the last run."""
        return max(0, self.labels - (self.last.labels if self.last else 0))

    @property
    def unseen(self) -> int:
        """Labels that the champion's run did not have."""
        return max(0, self.labels - (self.learned or 0))

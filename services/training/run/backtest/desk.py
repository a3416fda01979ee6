"""How things stand in a replay, and what the policy says to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from contracts.declaration import Declaration
from services.training.domain.episodes import waiting
from services.training.domain.policy import Verdict, asked_for, change_point, verdict
from services.training.domain.situation import Drift, LastRun, Situation, Trigger
from services.training.domain.spans import merged
from services.training.ports import Policy, rules_of
from services.training.run.backtest.alarms import Alarm
from services.training.run.backtest.candidates import Pin
from services.training.run.backtest.history import History, Span
from services.training.run.backtest.watching import Champion
from services.training.run.dataset import microseconds
from services.training.run.evaluation import moment
from shared.drift.standing import Standing


@dataclass
class Run:
    """A run and what came of it.

    Attributes:
        at: when it was decided; `now`: the outcomes' time then, which cool-downs count in.
        ready: when it ends.
        labels: at hand.
        result: promoted, refused, failed; None while it goes on.

    """

    number: int
    at: int
    now: int
    ready: int
    labels: int
    new_labels: int
    trigger: str
    reason: str
    pin: Pin
    result: str | None = None
    detail: str = ""
    rows: int = 0
    algorithm: str = ""
    evaluation: dict[str, float] = field(default_factory=dict)

    @property
    def version(self) -> str:
        """Name what it brings."""
        return f"0.0.{self.number}"

    @property
    def brought(self) -> bool:
        """Tell whether it has brought a candidate, taken or not."""
        return self.result in ("promoted", "refused")


@dataclass(frozen=True, slots=True)
class Suppressed:
    """A run that was asked for and did not start."""

    at: int
    trigger: str
    obstacle: str
    reason: str


class Desk:
    """Decides for one policy.

    Args:
        history: the stream.
        policy: what asks for runs.
        declaration: with the policy's fields in it.
        run_time: of a run, microseconds.

    Attributes:
        standing: how monitor's alarms stand.

    """

    def __init__(
        self, history: History, policy: Policy, declaration: Declaration, run_time: int
    ) -> None:
        self.history, self.policy, self.run_time = history, policy, run_time
        self.rules = rules_of(declaration)
        self.runs: list[Run] = []
        self.suppressed: list[Suppressed] = []
        self.standing = Standing({}, [])
        self._drifts: list[Drift] = []
        self._faults: dict[str, str] = {}
        self._unstable = False
        self._refused: set[tuple[int, str, str]] = set()

    def heard(self, alarms: Sequence[Alarm], champion: Champion, now: int) -> None:
        """Weigh the alarms of a window at once, as the service does when it hears of them."""
        self._faults |= {alarm.detector: alarm.summary for alarm in alarms if alarm.kind == "fault"}
        for alarm in alarms:
            self._weigh(alarm, champion, now)

    def _weigh(self, alarm: Alarm, champion: Champion, now: int) -> None:
        if self.policy.trigger == "psi" and alarm.detector == "psi":
            self._unstable = True
        if self.policy.trigger != "declared" or alarm.kind == "fault":
            return
        drift = Drift(
            event_id=f"{alarm.version} {alarm.detector} {alarm.at}",
            version=alarm.version,
            detector=alarm.detector,
            since=moment(alarm.since),
            until=moment(alarm.window[1]),
            harmful=alarm.kind == "retrain",
            summary=alarm.summary,
        )
        self._drifts.append(drift)
        if drift.harmful:
            trigger = Trigger("drift", drift)
            situation = self._situation(champion, now, alarm.at)
            self._settle(trigger, verdict(trigger, situation, self.rules), situation, alarm.at)

    def look(self, champion: Champion, now: int, at: int) -> None:
        """Weigh what asks by itself."""
        if self.runs and self.runs[-1].result is None:
            return
        situation = self._situation(champion, now, at)
        asked = self._asked(situation)
        if asked is not None:
            self._settle(*asked, situation, at)

    def _asked(self, situation: Situation) -> tuple[Trigger, Verdict] | None:
        if self.policy.trigger == "declared" or situation.trained_at is None:
            return asked_for(situation, self.rules)
        # A clock or a threshold asks without reasons of ours, as a person would.
        last = situation.last
        due = last is None or situation.now - last.at >= self.rules.max_age
        if (self.policy.trigger == "schedule" and due) or self._unstable:
            return Trigger("request"), verdict(Trigger("request"), situation, self.rules)
        return None

    def _settle(self, trigger: Trigger, answer: Verdict, situation: Situation, at: int) -> None:
        kind = trigger.kind if trigger.kind != "request" else self.policy.trigger
        if not answer.started:
            obstacle = answer.obstacle or ""
            told = len(self.runs), f"{kind} {trigger.drift and trigger.drift.event_id}", obstacle
            if told not in self._refused:
                self._refused.add(told)
                self.suppressed.append(Suppressed(at, kind, obstacle, answer.reason))
            return
        since = change_point(situation, self.rules)
        pin = Pin(
            until=microseconds(situation.now),
            at=at,
            since=None if since is None else microseconds(since),
            excluded=self._spoilt(),
        )
        self._unstable = False
        self.runs.append(
            Run(
                number=len(self.runs) + 1,
                at=at,
                now=pin.until,
                ready=at + self.run_time,
                labels=situation.labels,
                new_labels=situation.new_labels,
                trigger=kind,
                reason=answer.reason,
                pin=pin,
            )
        )

    def _situation(self, champion: Champion, now: int, at: int) -> Situation:
        drift = self._waiting(champion.version) if self.policy.trigger == "declared" else None
        changed = 0
        if drift is not None:
            since = microseconds(drift.since)
            changed = self._labels(now, at, (since, now))
        trained_at = champion.candidate.trained_at
        return Situation(
            now=moment(now),
            version=0,
            labels=self._labels(now, at),
            champion=champion.version,
            trained_at=None if trained_at is None else moment(trained_at),
            learned=champion.learned,
            last=self._last(),
            tried=self._tried(),
            drift=drift,
            changed=changed,
            alerts=tuple(
                (f"{number}", f"{', '.join(alert.blamed)}: {self._faults[alert.detector]}")
                for number, alert in enumerate(self.standing.alerts)
                if alert.until is None and self.policy.trigger == "declared"
            ),
        )

    def _waiting(self, version: str) -> Drift | None:
        """Find the harmful drift of a version that no run has answered."""
        answering = [r.now for r in self.runs if r.pin.since is not None and r.result != "failed"]
        answered = moment(max(answering)) if answering else None
        return waiting(self._drifts, version, answered, self.rules.cooldown)

    def _labels(self, now: int, at: int, within: Span | None = None) -> int:
        """Count labels at hand, without those under a fault of the data that is over."""
        spoilt: Sequence[Span] = self._spoilt()
        if within is None:
            return self.history.count(now, at) - self.history.count(now, at, spoilt)
        clipped = [(max(a, within[0]), min(b, within[1])) for a, b in spoilt]
        return self.history.count(now, at, [within]) - self.history.count(now, at, clipped)

    def _spoilt(self) -> tuple[Span, ...]:
        over = [
            (moment(alert.since), moment(alert.until))
            for alert in self.standing.alerts
            if alert.until is not None and self.policy.trigger == "declared"
        ]
        return tuple((microseconds(a), microseconds(b)) for a, b in merged(over))

    def _tried(self) -> int:
        """Count the labels of the last run that brought a candidate and was not about drift."""
        counts = [run.labels for run in self.runs if run.pin.since is None and run.brought]
        return counts[-1] if counts else 0

    def _last(self) -> LastRun | None:
        if not self.runs:
            return None
        last = self.runs[-1]
        return LastRun(
            run_id=last.version,
            at=moment(last.now),
            labels=last.labels,
            ended=last.result is not None,
            brought=last.brought,
        )

"""drift.detected, training.requested, the watermark -> training.decided."""

from __future__ import annotations

import asyncio
import uuid
from datetime import datetime, timedelta

from contracts import Event
from contracts.base import NAMESPACE, Window
from contracts.declaration import Declaration
from contracts.performance import DriftDetected
from contracts.training import TrainingDecided, TrainingRequested
from services.training.domain.episodes import waiting
from services.training.domain.policy import Verdict, asked_for, change_point, verdict
from services.training.domain.situation import Drift, Situation, Trigger
from services.training.domain.spans import Span, clipped, merged
from services.training.handlers.alarms import Alarms, drift_of
from services.training.handlers.knowledge import Models, RunLog
from services.training.ports import Store, rules_of
from shared.errors import Rejected

MOST_SPANS = 1000
MICROSECOND = timedelta(microseconds=1)


async def decide_on_drift(event: DriftDetected, *, desk: Desk) -> list[Event]:
    """Weigh the drift of the champion."""
    return await desk.decide(event, Trigger("drift", drift_of(event)))


async def decide_on_request(event: TrainingRequested, *, desk: Desk) -> list[Event]:
    """Weigh somebody's request."""
    return await desk.decide(event, Trigger("request"))


class Desk:
    """Where decisions are taken, one after another."""

    def __init__(self, models: Models, log: RunLog, alarms: Alarms, store: Store) -> None:
        self.models, self.log, self.alarms, self.store = models, log, alarms, store
        self._lock = asyncio.Lock()

    async def decide(
        self, event: DriftDetected | TrainingRequested, trigger: Trigger
    ) -> list[Event]:
        """Decide on what somebody has told.

        Raises:
            Rejected: the model is not declared.

        """
        declaration = self.models.declaration(event.model)
        if declaration is None:
            raise Rejected(f"model {event.model!r} is not declared; declare it, then replay this")
        async with self._lock:
            await self.store.flush(event.model)
            situation = await self._situation(declaration, event.at, trigger.drift)
            assert situation is not None
            answer = verdict(trigger, situation, rules_of(declaration))
            return self._told(declaration, trigger, situation, answer, event.event_id)

    async def look(self, model: str) -> list[Event]:
        """Decide on what asks by itself; between two runs each trigger is refused once for a cause.

        Drift was answered when it was heard: it is only told of again when it leads to a run.
        """
        declaration = self.models.declaration(model)
        if declaration is None:
            return []
        async with self._lock:
            situation = await self._situation(declaration, None, None)
            if situation is None:
                return []
            asked = asked_for(situation, rules_of(declaration))
            if asked is None:
                return []
            trigger, answer = asked
            before = situation.last.run_id if situation.last else "first"
            cause = trigger.drift.event_id if trigger.drift else f"{trigger.kind}:{model}"
            distinct = f"{before}:{answer.obstacle or ''}"
            return self._told(declaration, trigger, situation, answer, cause, distinct)

    def _told(
        self,
        declaration: Declaration,
        trigger: Trigger,
        situation: Situation,
        answer: Verdict,
        cause: str,
        distinct: str = "",
    ) -> list[Event]:
        run_id = str(uuid.uuid5(NAMESPACE, ":".join(filter(None, ("run", cause, distinct)))))
        known = self.log.find(run_id)
        if known is not None:
            return [] if self.log.is_recorded(run_id) else [known]
        event = TrainingDecided.caused_by(
            cause,
            distinct=distinct,
            model=declaration.name,
            at=situation.now,
            decision="started" if answer.started else "suppressed",
            trigger=trigger.kind,
            run_id=run_id,
            labels=situation.labels,
            new_labels=situation.new_labels,
            dataset_version=situation.version if answer.started else None,
            reason=answer.reason,
            since=change_point(situation, rules_of(declaration)),
            excluded=tuple(
                Window(start=start, end=end) for start, end in self._spoilt(declaration.name)
            ),
        )
        self.log.reserve(event)
        return [event]

    async def _situation(
        self, declaration: Declaration, otherwise: datetime | None, heard: Drift | None
    ) -> Situation | None:
        """Look at how things stand; None before the first outcome, if nobody says what time it is.

        Args:
            declaration: of the model.
            otherwise: time to go by while the store is empty.
            heard: drift that may not have been read back yet.

        """
        model, champion = declaration.name, self.models.champion(declaration.name)
        unlabelled = declaration.spec.label.missing == "negative"
        summary = await self.store.summary(model, unlabelled=unlabelled)
        # All time is the store's: requests come from people, whose clock is another.
        now = (summary and summary.watermark) or otherwise
        if now is None:
            return None
        spoilt, after = self._spoilt(model), now + MICROSECOND

        async def labels(*spans: Span) -> int:
            return await self.store.labels_within(model, spans, unlabelled=unlabelled)

        drifts = [*self.alarms.drifts(model), *filter(None, [heard])]
        cooldown = declaration.spec.retraining.cooldown
        drift = waiting(drifts, champion.version, self.log.answered(model), cooldown)
        changed = 0
        if drift:
            changed = await labels((drift.since, after))
            changed -= await labels(*clipped(spoilt, drift.since, after))
        return Situation(
            now=now,
            version=summary.version if summary else None,
            labels=(summary.labels if summary else 0) - await labels(*spoilt),
            champion=champion.version,
            trained_at=champion.trained_at,
            learned=self.log.learned(model, champion.artifact),
            last=self.log.last(model),
            tried=self.log.tried(model),
            drift=drift,
            changed=changed,
            alerts=self.alarms.open(model, champion.version),
        )

    def _spoilt(self, model: str) -> tuple[Span, ...]:
        """List the event times that are not learned from; the newest, if very many."""
        return merged([*self.log.spoilt(model), *self.alarms.spoilt(model)])[-MOST_SPANS:]

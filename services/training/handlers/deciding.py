"""drift.detected, training.requested, the watermark -> training.decided."""

from __future__ import annotations

import asyncio
import uuid
from datetime import datetime

from contracts import Event
from contracts.base import NAMESPACE
from contracts.declaration import Declaration
from contracts.performance import DriftDetected
from contracts.training import TrainingDecided, TrainingRequested
from services.training.domain.policy import (
    Rules,
    Situation,
    Trigger,
    due,
    verdict,
    window_start,
)
from services.training.handlers.knowledge import Models, RunLog
from services.training.ports import Store, Summary
from shared.errors import Rejected


async def decide_on_drift(event: DriftDetected, *, desk: Desk) -> list[Event]:
    """Weigh the drift of the champion."""
    return await desk.decide(event, Trigger("drift", event.version))


async def decide_on_request(event: TrainingRequested, *, desk: Desk) -> list[Event]:
    """Weigh somebody's request."""
    return await desk.decide(event, Trigger("request"))


class Desk:
    """Where decisions are taken, one after another."""

    def __init__(self, models: Models, log: RunLog, store: Store) -> None:
        self.models, self.log, self.store = models, log, store
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
            summary = await self._summary(declaration)
            return self._decided(declaration, trigger, event.event_id, summary, event.at)

    async def look(self, model: str) -> list[Event]:
        """Decide on what time and volume ask for; at most once per window and trigger."""
        declaration = self.models.declaration(model)
        if declaration is None:
            return []
        async with self._lock:
            summary = await self._summary(declaration)
            if summary is None or summary.watermark is None:
                return []
            now, rules = summary.watermark, _rules(declaration)
            trigger = due(self._situation(model, summary, now), rules)
            if trigger is None:
                return []
            start = window_start(now, declaration.spec.drift.window)
            cause = f"{trigger.kind}:{model}:{start.isoformat()}"
            return self._decided(declaration, trigger, cause, summary, now)

    def _decided(
        self,
        declaration: Declaration,
        trigger: Trigger,
        cause: str,
        summary: Summary | None,
        otherwise: datetime,
    ) -> list[Event]:
        run_id = str(uuid.uuid5(NAMESPACE, f"run:{cause}"))
        known = self.log.find(run_id)
        if known is not None:
            return [] if self.log.is_recorded(run_id) else [known]
        # All time is the store's: requests come from people, whose clock is another.
        now = (summary and summary.watermark) or otherwise
        situation = self._situation(declaration.name, summary, now)
        answer = verdict(trigger, situation, _rules(declaration))
        event = TrainingDecided.caused_by(
            cause,
            model=declaration.name,
            at=now,
            decision="started" if answer.started else "suppressed",
            trigger=trigger.kind,
            run_id=run_id,
            labels=situation.labels,
            new_labels=situation.new_labels,
            dataset_version=summary.version if summary and answer.started else None,
            reason=answer.reason,
        )
        self.log.reserve(event)
        return [event]

    def _situation(self, model: str, summary: Summary | None, now: datetime) -> Situation:
        champion = self.models.champion(model)
        return Situation(
            now=now,
            labels=summary.labels if summary else 0,
            champion=champion.version,
            trained_at=champion.trained_at,
            last=self.log.last(model),
        )

    async def _summary(self, declaration: Declaration) -> Summary | None:
        negative = declaration.spec.label.missing == "negative"
        return await self.store.summary(declaration.name, unlabelled=negative)


def _rules(declaration: Declaration) -> Rules:
    rules = declaration.spec.retraining
    return Rules(
        max_age=rules.max_age,
        cooldown=rules.cooldown,
        min_labels=rules.min_labels,
        volume=rules.volume,
    )

"""Answers requests for inference; what the release decides is published."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from random import randbytes

from services.serving.domain.features import Row
from services.serving.domain.inferred import Inferred
from services.serving.domain.predictions import Header
from services.serving.domain.requests import Asked
from services.serving.inference.opening import deciding, version_of
from services.serving.inference.scoring import Decided, Scorer
from services.serving.inference.served import Opened, Served, milliseconds
from services.serving.ports import Library, Outbox, Releases, Unknown, Unusable
from shared.clock import Clock
from shared.errors import Transient

OPEN_S = 5.0


class Inference:
    """Answers what may be asked of models.

    Args:
        releases: who decides each model.
        library: holds the models' files.
        outbox: takes the predictions to Kafka.
        clock: tells which plan is in force.
        inline_us: scoring that takes longer happens off the event loop.

    """

    def __init__(
        self,
        releases: Releases,
        library: Library,
        outbox: Outbox,
        clock: Clock,
        inline_us: float,
    ) -> None:
        self.releases, self.library, self.outbox = releases, library, outbox
        self.clock, self.inline_us = clock, inline_us
        self._served: dict[str, Served] = {}

    def served(self, model: str) -> Served:
        """Find a model under the release that is known now.

        Raises:
            Unknown: no such model is declared, or it has no plan yet.

        """
        release, served = self.releases.get(model), self._served.get(model)
        if release is None:
            raise Unknown(f"there is no model {model!r}")
        if served is None or served.release is not release:
            served = self._served[model] = Served(release)
        return served

    async def ready(self, model: str, version: str | None) -> None:
        """Return if requests for a model, or for one version of it, can be answered.

        Raises:
            Unknown: there is none.
            Transient: not now.

        """
        served = self.served(model)
        await self._found(served, version, self.clock())

    def at_once(
        self, served: Served, version: str | None, asked: Asked, headers: tuple[Header, ...] = ()
    ) -> tuple[Opened, Inferred] | None:
        """Answer a single row as `infer` does; None if anything has to be waited for.

        Raises:
            Transient: the answer cannot be published now.
            ArithmeticError: the version answers with something that is no number.

        """
        now = self.clock()
        opened = served.standing(version, now)
        if opened is None or asked.durable or len(asked.rows) != 1:
            return None
        decided = opened.scorer.one(asked.rows[0])
        inferred = _inferred(opened, asked, now, decided, headers)
        if version is None:
            self.outbox.put(inferred)
        return opened, inferred

    async def infer(
        self, served: Served, version: str | None, asked: Asked, headers: tuple[Header, ...] = ()
    ) -> Inferred:
        """Answer a request; without a version the release decides and the answer is published.

        Raises:
            Unknown: there is no such version.
            Transient: no version can answer now, or the answer cannot be published.
            ArithmeticError: the version answers with something that is no number.

        """
        while True:
            now = self.clock()
            opened = served.standing(version, now) or await self._found(served, version, now)
            decided = await self._decided(opened.scorer, asked.rows)
            # A version that was withdrawn in the meantime must not decide.
            if version is not None or self.releases.get(served.name) is served.release:
                break
            served = self.served(served.name)
        inferred = _inferred(opened, asked, now, decided, headers)
        if version is None and asked.durable:
            await self.outbox.keep(inferred)
        elif version is None:
            self.outbox.put(inferred)
        return inferred

    async def _found(self, served: Served, version: str | None, now: datetime) -> Opened:
        """Open a version, or without one what decides."""
        release = served.release
        if version is None:
            index = release.timeline.in_force(milliseconds(now))
            plan, model = await deciding(release, self.library, index, OPEN_S)
        else:
            plan = served.plan_of(version)
            try:
                model = await version_of(release, self.library, plan, OPEN_S)
            except Unusable as error:
                raise Transient(f"version {version} cannot be used: {error}") from error
        return served.stands(version, served.opened(plan, model), now)

    async def _decided(self, scorer: Scorer, rows: Sequence[Row]) -> Decided:
        if len(rows) == 1:
            return scorer.one(rows[0])
        if len(rows) * scorer.model.row_us <= self.inline_us:
            return scorer.many(rows)
        return await asyncio.to_thread(scorer.many, rows)


def _inferred(
    opened: Opened, asked: Asked, now: datetime, decided: Decided, headers: tuple[Header, ...]
) -> Inferred:
    identity = asked.id or randbytes(16).hex()
    return Inferred(opened.author, identity, now, asked.rows, *decided, asked.entity, headers)

"""training.decided -> a run -> model.trained."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from contracts import Event
from contracts.training import TRAINING_DECIDED, ModelTrained, TrainingDecided
from services.training.handlers.knowledge import Models, RunLog
from services.training.ports import Job, Launcher, Result, RunFailed, Store
from shared.kafka import Names, Position, Teller
from shared.telemetry import Telemetry


async def launch(event: TrainingDecided, *, runs: Runs) -> list[Event]:
    """Begin the run that was decided on."""
    runs.begin(event)
    return []


class Runs:
    """Carries out runs in the background, one at a time, and tells how each ended.

    Whoever is assigned `training.decided` runs; on assignment, unfinished runs begin again.
    """

    def __init__(
        self,
        telemetry: Telemetry,
        *,
        launcher: Launcher,
        teller: Teller,
        models: Models,
        log: RunLog,
        store: Store,
        artifacts: Path,
    ) -> None:
        self.telemetry, self.launcher, self.teller = telemetry, launcher, teller
        self.models, self.log, self.store, self.artifacts = models, log, store, artifacts
        self.trouble: str | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._turn = asyncio.Lock()

    async def start(self) -> None:
        """Wait for decisions."""

    async def stop(self) -> None:
        """Break off what runs; it begins again at the next start."""
        tasks, self._tasks = self._tasks, {}
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)

    def unready(self) -> str | None:
        """Say what went wrong with a run that should have been told and was not."""
        return self.trouble

    async def assigned(
        self, positions: frozenset[Position], *, names: Names
    ) -> dict[Position, int]:
        """Take up unfinished runs if they are ours now, break them off if they are not."""
        if any(position.topic == names.topic(TRAINING_DECIDED) for position in positions):
            for decided in self.log.unfinished():
                self.begin(decided)
        else:
            await self.stop()
        return {}

    def begin(self, decided: TrainingDecided) -> None:
        """Start the run of a decision unless it goes on or has ended."""
        run_id = decided.run_id
        over = self.log.has_ended(run_id) or run_id in self._tasks
        if decided.decision == "started" and not over:
            task = asyncio.create_task(self._run(decided))
            self._tasks[run_id] = task
            task.add_done_callback(self._note)

    async def finish(self) -> None:
        """Wait for all runs that go on."""
        await asyncio.gather(*self._tasks.values())

    async def _run(self, decided: TrainingDecided) -> None:
        async with self._turn:
            started = time.monotonic()
            digest, result, reason = "0" * 64, None, ""
            try:
                job = self._job(decided)
                digest = job.declaration_digest
                result = await self.launcher.run(job)
            except RunFailed as failure:
                reason = str(failure)[:2000]
            self.telemetry.count("training_runs", "trained" if result else "failed")
            seconds = time.monotonic() - started
            await self.teller.tell([_trained(decided, digest, result, reason, seconds)])

    def _job(self, decided: TrainingDecided) -> Job:
        declared = self.models.declared(decided.model)
        if declared is None or decided.dataset_version is None:
            raise RunFailed(f"model {decided.model!r} has no declaration or no data any more")
        return Job(
            run_id=decided.run_id,
            declaration=declared.declaration,
            declaration_digest=declared.digest,
            uri=self.store.uri(decided.model),
            version=decided.dataset_version,
            until=decided.at,
            since=decided.since,
            excluded=decided.excluded,
            champion=self.models.champion(decided.model),
            artifacts=self.artifacts,
        )

    def _note(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()):
            self.trouble = f"a run was carried out and could not be told: {error!r}; restart"
            self.telemetry.log.error(self.trouble, exc_info=error)


def _trained(
    decided: TrainingDecided, digest: str, result: Result | None, reason: str, seconds: float
) -> ModelTrained:
    return ModelTrained.caused_by(
        decided,
        model=decided.model,
        at=decided.at,
        run_id=decided.run_id,
        status="trained" if result else "failed",
        trigger=decided.trigger,
        declaration=digest,
        artifact=result and result.artifact,
        algorithm=result and result.algorithm,
        dataset=result and result.dataset,
        trials=result.trials if result else (),
        evaluation=result and result.evaluation,
        seconds=result.seconds if result else round(seconds, 3),
        reason=reason or _summary(result),
        baseline=result and result.baseline,
    )


def _summary(result: Result | None) -> str:
    assert result is not None
    measured = result.evaluation
    said = (
        f"{result.algorithm} on {result.dataset.rows:,} labelled rows: {measured.metric} "
        f"{measured.candidate_loss:.4f}, champion {measured.champion_version} "
        f"{measured.champion_loss:.4f}, prior {measured.prior_loss:.4f} on {measured.rows:,} "
        f"pinned rows"
    )
    return f"{said}; {result.remark}"[:2000] if result.remark else said

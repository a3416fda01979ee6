"""A small world for training: a declaration, outcomes of a known truth, the service."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from contracts.alerts import ALERT_RAISED, ALERT_RESOLVED, AlertRaised, AlertResolved
from contracts.declaration import Declaration
from contracts.performance import DRIFT_DETECTED, DriftDetected
from contracts.registry import (
    MODEL_DECLARED,
    RELEASE_CHANGED,
    ModelDeclared,
    Plan,
    ReleaseChanged,
    VersionRef,
)
from contracts.training import Dataset, Evaluation, Interval
from services.training.app import parts
from services.training.handlers.knowledge import PRIOR
from services.training.handlers.pulse import Pulse
from services.training.handlers.running import Runs
from services.training.ports import Job, Result, RunFailed
from services.training.settings import Settings
from shared.kafka import Consumer, Position, Timer
from tests.doubles import MemoryKafka, telemetry

MODEL = "toy"
TOPIC = f"test.data.{MODEL}.outcomes.v1"
START = datetime(2013, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def declaration(task: str = "binary", **spec: Any) -> Declaration:
    """Declare a model of four features."""
    document = {
        "apiVersion": "driftwheel/v1",
        "kind": "Model",
        "metadata": {"name": MODEL},
        "spec": {
            "task": task,
            "features": {
                "x": {"type": "float", "nullable": True},
                "n": {"type": "int"},
                "place": {"type": "category"},
                "open": {"type": "bool"},
            },
            "label": {"name": "y", "horizon": "36h"},
            "slices": ["place", "open"],
            "retraining": {"min_labels": 100, "max_age": "56d", "cooldown": "7d"},
            "gates": {"slice_rows": 30},
            **spec,
        },
    }
    return Declaration.model_validate_json(json.dumps(document))


def outcomes(
    task: str, count: int, *, first: int = 0, per_day: int = 100, seed: int = 0
) -> list[dict[str, Any]]:
    """Draw outcomes whose label depends on x and place."""
    rng = np.random.default_rng([seed, first])
    made = []
    for number in range(first, first + count):
        x, place = round(float(rng.normal()), 4), str(rng.choice(["here", "there"]))
        drive = 2 * x + (1.5 if place == "there" else 0.0)
        noisy = drive + float(rng.logistic())
        label: Any = {
            "binary": noisy > 0,
            "regression": round(noisy, 4),
            "multiclass": "low" if noisy < -1 else "mid" if noisy < 2 else "high",
        }[task]
        time = START + number * DAY / per_day
        made.append(
            {
                "id": f"e{number}",
                "time": time.isoformat(),
                "model": MODEL,
                "version": "0.0.0",
                "score": [0.3, 0.3, 0.4] if task == "multiclass" else 0.5,
                "decision": {"binary": False, "multiclass": "high"}.get(task),
                "features": {
                    "x": x if number % 11 else None,
                    "n": number % 7,
                    "place": place,
                    "open": number % 2 == 0,
                },
                "label": label,
                "label_time": (time + DAY / 6).isoformat(),
                "status": "labelled",
                "loss": 0.7,
                "shadow": None,
            }
        )
    return made


def artifact_of(run_id: str) -> str:
    """Name the files that a run brings."""
    return hashlib.sha256(run_id.encode()).hexdigest()


def result(job: Job) -> Result:
    """Make what a successful run would bring."""
    nothing = Interval(mean=0.0, low=0.0, high=0.0, confidence=0.95)
    dataset = Dataset(
        uri=job.uri, version=job.version, rows=10, start=START, end=job.until, digest="d" * 64
    )
    evaluation = Evaluation(
        metric="log_loss",
        rows=5,
        start=START,
        end=job.until,
        digest="e" * 64,
        candidate_loss=0.4,
        champion_version=job.champion.version,
        champion_loss=0.5,
        prior_loss=0.6,
        difference=nothing,
        predicted=0.5,
        observed=0.5,
        loss_sd=0.1,
        slices=(),
    )
    return Result(
        artifact=artifact_of(job.run_id),
        algorithm="linear",
        dataset=dataset,
        trials=(),
        evaluation=evaluation,
        baseline="b" * 64,
        remark="not watched: x: varies by 0.9 sd",
        seconds=1.0,
    )


class FakeLauncher:
    """Notes jobs; brings a result, or fails with `failure`."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self.failure: str | None = None

    async def run(self, job: Job) -> Result:
        """Answer at once."""
        self.jobs.append(job)
        if self.failure:
            raise RunFailed(self.failure)
        return result(job)


class World:
    """The service on a Kafka in memory, and a state folder that survives it."""

    def __init__(self, state: Path, declared: Declaration | None = None) -> None:
        self.state, self.kafka = state, MemoryKafka()
        self.launcher = FakeLauncher()
        self.declared = declared or declaration()
        self.declare(self.declared)
        self.restart()

    def restart(self) -> None:
        """Lose everything in memory, and all commits."""
        old, self.kafka = self.kafka, MemoryKafka()
        self.kafka.logs = old.logs
        settings = Settings(state=self.state, prefix="test.")
        made = parts(settings, telemetry("training"), publisher=self.kafka, launcher=self.launcher)
        self.kafka.attach(*made)
        found = {type(part): part for part in made}
        self.consumer: Consumer = found[Consumer]
        self.pulse: Pulse = found[Pulse]
        self.timer: Timer = found[Timer]
        self.runs: Runs = found[Runs]
        self.store = self.pulse.store

    def declare(self, declared: Declaration, revision: int = 1) -> None:
        """Tell of a declaration."""
        self.kafka.tell(
            MODEL_DECLARED,
            ModelDeclared.caused_by(
                f"declare {revision}",
                model=MODEL,
                at=START,
                revision=revision,
                digest=declared.digest(),
                declaration=declared,
            ),
        )

    def release(
        self, version: str, trained_at: datetime, revision: int = 1, artifact: str = "c" * 64
    ) -> None:
        """Tell of a new champion; by default one that no run of the log has brought."""
        champion = VersionRef(
            version=version,
            algorithm="linear",
            artifact=artifact,
            trained_at=trained_at,
            loss=0.5,
            loss_sd=0.1,
        )
        self.kafka.tell(
            RELEASE_CHANGED,
            ReleaseChanged.caused_by(
                f"release {revision}",
                model=MODEL,
                at=trained_at,
                revision=revision,
                plan=Plan(plan_id=str(revision), stable=champion),
                reason="",
            ),
        )

    def drift(self, version: str, distinct: str = "1", **fields: Any) -> DriftDetected:
        """Tell of drift; by default of harm since the beginning."""
        usual = {
            "at": START + 30 * DAY,
            "window": {"start": START + 18 * DAY, "end": START + 19 * DAY},
            "detector": "loss",
            "evidence": 9.0,
            "level": 5.0,
            "since": START,
            "blamed": (),
            "summary": "loss is up",
            "promise": 1000,
            "contributions": (),
            "windows": 3,
            "recommendation": "retrain",
        }
        event = DriftDetected.caused_by(
            f"window {distinct}", model=MODEL, version=version, **usual | fields
        )
        self.kafka.tell(DRIFT_DETECTED, event)
        return event

    def alert(self, since: datetime, version: str | None = "0.0.1", **fields: Any) -> AlertRaised:
        """Tell of bad data."""
        usual = {
            "at": since + DAY,
            "window": {"start": since, "end": since + DAY},
            "since": since,
            "detector": "quality",
            "evidence": 1e6,
            "level": 8000.0,
            "promise": 1000,
            "contributions": (),
            "blamed": ("x",),
            "windows": 1,
            "summary": "x is missing in 23 % of predictions, 9 % before",
        }
        event = AlertRaised.caused_by(
            f"alert {since}", model=MODEL, version=version, **usual | fields
        )
        self.kafka.tell(ALERT_RAISED, event)
        return event

    def resolve(self, alert: AlertRaised, at: datetime) -> None:
        """Tell that the data are good again, from the window on that starts then."""
        event = AlertResolved.caused_by(
            alert,
            model=MODEL,
            at=at + DAY,
            alert=alert.event_id,
            detector=alert.detector,
            window={"start": at, "end": at + DAY},
            summary="x is as before",
        )
        self.kafka.tell(ALERT_RESOLVED, event)

    def append(self, rows: Iterable[dict[str, Any]], topic: str = TOPIC) -> None:
        """Append outcomes to the log."""
        for row in rows:
            self.kafka.append(topic, json.dumps(row).encode(), key=row["id"].encode())

    async def settle(self) -> None:
        """Deliver, beat once, and let runs end."""
        await self.kafka.settle()
        await self.timer.once()
        await self.kafka.settle()
        await self.runs.finish()
        await self.kafka.settle()

    async def hear(self, rows: Iterable[dict[str, Any]]) -> None:
        """Append outcomes and settle."""
        self.append(rows)
        await self.settle()


async def job_of(
    folder: Path, rows: Iterable[dict[str, Any]], declared: Declaration, **fields: Any
) -> Job:
    """Fill a store and make a job of it; no run is carried out."""
    world = World(folder, declared)
    world.launcher.failure = "not now"
    await world.hear(rows)
    summary = await world.store.summary(MODEL, unlabelled=False)
    assert summary is not None
    assert summary.watermark is not None
    usual = {
        "run_id": "r1",
        "declaration": declared,
        "declaration_digest": declared.digest(),
        "uri": world.store.uri(MODEL),
        "version": summary.version,
        "until": summary.watermark,
        "champion": PRIOR,
        "artifacts": folder / "artifacts",
    }
    return Job(**usual | fields)


def position(topic: str, partition: int = 0) -> Position:
    """Name a partition."""
    return Position(topic, partition)

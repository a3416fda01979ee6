"""A serving service on an in-memory Kafka, and models made by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np

from contracts.data import EVENTS_VALIDATED, PREDICTIONS
from contracts.declaration import Declaration
from contracts.registry import (
    MODEL_DECLARED,
    RELEASE_CHANGED,
    ModelDeclared,
    PastPlan,
    Plan,
    ReleaseChanged,
    VersionRef,
)
from services.serving.adapters.outbox import KafkaOutbox
from services.serving.app import assembled
from services.serving.settings import Settings
from shared.artifacts import Artifacts
from shared.clock import wall_clock
from shared.kafka import Consumer, Record
from tests.doubles import START_MS, MemoryKafka, telemetry

MODEL = "flight-delay"
NOON = datetime(2023, 11, 14, 12, tzinfo=UTC)
FEATURES = {"seats": {"type": "int"}, "age": {"type": "float", "nullable": True}}


def declaration(**spec: Any) -> Declaration:
    """Two numbers, binary; a decision is true from 0.25 on."""
    document = {
        "apiVersion": "driftwheel/v1",
        "kind": "Model",
        "metadata": {"name": MODEL},
        "spec": {
            "task": "binary",
            "features": FEATURES,
            "label": {"name": "late", "horizon": "36h"},
            "prior": 0.24,
            "cost": {"false_negative": 3, "false_positive": 1},
            **spec,
        },
    }
    return Declaration.model_validate_json(json.dumps(document))


def linear(intercept: float, task: str = "binary", seats: float = 0.0) -> dict[str, bytes]:
    """The files of a model with score link(intercept + seats * z(seats))."""
    document = {
        "algorithm": "linear",
        "task": task,
        "columns": {"names": ["seats", "age"], "codes": {}},
        "design": [{"mean": 100.0, "sd": 100.0}, {"mean": 10.0, "sd": 10.0}],
        "weights": [intercept, seats, 0.0, 0.0, 0.0],
    }
    return {"model.json": json.dumps(document).encode()}


def boosted() -> dict[str, bytes]:
    """The files of a small LightGBM model."""
    random = np.random.default_rng(1)
    rows = random.uniform(0, 600, (500, 2))
    data = lightgbm.Dataset(rows, (rows[:, 0] > 300).astype(float))
    settings = {"objective": "binary", "num_leaves": 4, "num_threads": 1, "verbosity": -1}
    booster = lightgbm.train(settings, data, 5)
    columns = {"names": ["seats", "age"], "codes": {}}
    document = {"algorithm": "lightgbm", "task": "binary", "columns": columns}
    return {
        "model.json": json.dumps(document).encode(),
        "model.txt": booster.model_to_string().encode(),
    }


def event(number: int, seats: Any = 149, age: Any = 7.5) -> dict[str, Any]:
    """A validated event."""
    features = {"seats": seats, "age": age}
    return {"id": f"e{number}", "time": "2023-11-14T12:00:00Z", "features": features}


def plan(number: int, version: str, artifact: str | None, withdrawn: str | None = None) -> Plan:
    """A plan with a stable version and nothing else."""
    stable = VersionRef(
        version=version,
        algorithm="linear" if artifact else "prior",
        artifact=artifact,
        trained_at=None,
        loss=None,
        loss_sd=None,
    )
    return Plan(plan_id=f"plan-{number}", stable=stable, withdrawn=withdrawn)


class World:
    """The service, its Kafka and its artifacts."""

    def __init__(
        self,
        folder: Path,
        partitions: int = 1,
        kafka: MemoryKafka | None = None,
        library: Any = None,
        clock: Any = wall_clock,
        **settings: Any,
    ) -> None:
        self.kafka = kafka or MemoryKafka(partitions=partitions)
        self.artifacts = Artifacts(folder / "artifacts")
        serving = assembled(
            Settings(prefix=self.kafka.names.prefix, state=folder, **settings),
            telemetry("serving"),
            publisher=self.kafka,
            library=library,
            clock=clock,
        )
        self.parts, self.app, self.inference = serving.parts, serving.app, serving.inference
        self.direct = serving.direct
        self.consumer = next(part for part in self.parts if isinstance(part, Consumer))
        self.outbox = next(part for part in self.parts if isinstance(part, KafkaOutbox))
        self.kafka.attach(*self.parts)
        self.history: list[PastPlan] = []
        self.revision = 0

    def declare(self, of: Declaration | None = None, revision: int = 1) -> None:
        of = of or declaration()
        event = ModelDeclared.caused_by(
            f"test/{revision}",
            model=MODEL,
            at=NOON,
            revision=revision,
            digest=of.digest(),
            declaration=of,
        )
        self.kafka.tell(MODEL_DECLARED, event)

    def release(self, next_plan: Plan, lead_ms: int = 2000) -> None:
        """Publish a plan, with the history that the registry would write."""
        self.revision += 1
        changed = ReleaseChanged.caused_by(
            f"test/{self.revision}",
            model=MODEL,
            at=NOON,
            revision=self.revision,
            plan=next_plan,
            lead_ms=lead_ms,
            history=tuple(self.history),
            reason="test",
        )
        self.kafka.tell(RELEASE_CHANGED, changed)
        effective = datetime.fromtimestamp((self.kafka.now_ms + lead_ms) / 1000, UTC)
        self.history.append(
            PastPlan(effective=effective if self.revision > 1 else None, plan=next_plan)
        )

    def promote(self, version: str, files: Mapping[str, bytes], **options: Any) -> str:
        """Store files and release them, in force at once."""
        artifact = self.artifacts.put(files)
        self.release(plan(self.revision, version, artifact), **{"lead_ms": 0, **options})
        return artifact

    def born(self, of: Declaration | None = None) -> World:
        """Declare the model and release its prior, long ago."""
        self.kafka.now_ms = START_MS - 3_600_000
        self.declare(of)
        self.release(plan(0, "0.0.0", None))
        self.kafka.now_ms = START_MS
        return self

    def append(self, *values: Any, key: bytes = b"k", headers: Any = ()) -> None:
        topic = self.kafka.names.data(EVENTS_VALIDATED, MODEL)
        for value in values:
            raw = json.dumps(value).encode() if isinstance(value, dict) else value
            self.kafka.append(topic, raw, key=key, headers=headers)

    async def send(self, *values: Any, **options: Any) -> None:
        self.append(*values, **options)
        await self.kafka.settle()

    @property
    def topic(self) -> str:
        return self.kafka.names.data(PREDICTIONS, MODEL)

    @property
    def records(self) -> list[Record]:
        return self.kafka.records(self.topic)

    @property
    def predictions(self) -> list[dict[str, Any]]:
        return [json.loads(record.value or b"") for record in self.records]

    @property
    def parked(self) -> list[Record]:
        return self.kafka.records(self.kafka.names.data(EVENTS_VALIDATED, MODEL) + ".dlq")

"""A registry in memory, and what one sends to it."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from contracts import Event
from contracts.declaration import Declaration
from contracts.registry import (
    MODEL_DECLARED,
    REGISTRY_COMMANDS,
    REGISTRY_RECORDED,
    RELEASE_CHANGED,
    RegistryCommand,
    RegistryRecorded,
)
from contracts.training import (
    MODEL_TRAINED,
    TRAINING_REQUESTED,
    Dataset,
    Evaluation,
    Interval,
    ModelTrained,
    SliceEvaluation,
)
from services.registry.app import assembled
from services.registry.settings import Settings
from shared.kafka import Consumer
from tests.doubles import MemoryKafka, telemetry

START = datetime(2013, 1, 1, tzinfo=UTC)
MODEL = "flight-delay"


class FakeDataTopics:
    """Remembers for whom topics were created; refuses when told to."""

    def __init__(self) -> None:
        self.created: list[str] = []
        self.waits: list[timedelta] = []
        self.failures: list[Exception] = []

    async def create(self, model: str, waits: timedelta) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.created.append(model)
        self.waits.append(waits)


class House:
    """One registry on a memory log."""

    def __init__(self, kafka: MemoryKafka | None = None) -> None:
        self.kafka, self.topics = kafka or MemoryKafka(), FakeDataTopics()
        settings = Settings(prefix=self.kafka.names.prefix)
        self.parts, self.routes = assembled(
            settings, telemetry("registry"), publisher=self.kafka, topics=self.topics
        )
        self.ledger = self.routes[0].endpoint.__self__.ledger
        self.consumer = next(part for part in self.parts if isinstance(part, Consumer))
        self.kafka.attach(*self.parts)

    async def hear(self, *events: Event) -> list[RegistryRecorded]:
        """Send commands and candidates one after another; answer with the new entries."""
        before = len(self.log)
        for event in events:
            topic = REGISTRY_COMMANDS if isinstance(event, RegistryCommand) else MODEL_TRAINED
            self.kafka.tell(topic, event)
            self.kafka.now_ms += 10_000
            await self.kafka.settle()
        return self.log[before:]

    def hears(self, *events: Event) -> list[RegistryRecorded]:
        return asyncio.run(self.hear(*events))

    @property
    def log(self) -> list[RegistryRecorded]:
        return self.kafka.events(REGISTRY_RECORDED)

    @property
    def declared(self) -> list[Any]:
        return self.kafka.events(MODEL_DECLARED)

    @property
    def releases(self) -> list[Any]:
        return self.kafka.events(RELEASE_CHANGED)

    @property
    def requests(self) -> list[Any]:
        return self.kafka.events(TRAINING_REQUESTED)

    @property
    def dead(self) -> list[bytes]:
        return [
            value
            for position in self.kafka.logs
            if position.topic.endswith(".dlq")
            for value in self.kafka.values(position.topic)
        ]


def restarted(kafka: MemoryKafka) -> MemoryKafka:
    """Keep the log and forget who was reading it, and how far."""
    fresh = MemoryKafka(kafka.names, kafka.partitions)
    fresh.logs, fresh.now_ms = kafka.logs, kafka.now_ms
    return fresh


def declaration(name: str = MODEL, **spec: Any) -> Declaration:
    document = {
        "apiVersion": "driftwheel/v1",
        "kind": "Model",
        "metadata": {"name": name},
        "spec": {
            "task": "binary",
            "features": {
                "origin": {"type": "category", "categories": ["EWR", "JFK"]},
                "seats": {"type": "int", "min": 1, "max": 600},
            },
            "label": {"name": "late", "horizon": "36h"},
            "prior": 0.24,
            "gates": {"slice_rows": 100},
            **spec,
        },
    }
    return Declaration.model_validate_json(json.dumps(document))


def command(id_: str, order: dict[str, Any], model: str = MODEL, **fields: Any) -> RegistryCommand:
    if isinstance(order.get("declaration"), Declaration):
        order = {**order, "declaration": order["declaration"].model_dump(mode="json")}
    document = {
        "event_id": id_,
        "cause": "cli",
        "model": model,
        "at": START.isoformat(),
        "actor": "ada",
        "order": order,
        **fields,
    }
    return RegistryCommand.model_validate_json(json.dumps(document))


def declare(id_: str = "declare", name: str = MODEL, **fields: Any) -> RegistryCommand:
    spec = fields.pop("spec", {})
    order = {"kind": "declare", "declaration": declaration(name, **spec)}
    return command(id_, order, name, **fields)


def promote(id_: str, version: str, **fields: Any) -> RegistryCommand:
    force = fields.pop("force", False)
    return command(id_, {"kind": "promote", "version": version, "force": force}, **fields)


def roll_back(id_: str, version: str | None = None, **fields: Any) -> RegistryCommand:
    return command(id_, {"kind": "roll_back", "version": version}, **fields)


def evaluation(
    champion: str = "0.0.0", difference: float = -0.01, width: float = 0.002, **fields: Any
) -> Evaluation:
    base = {
        "metric": "log_loss",
        "rows": 11_204,
        "start": START + timedelta(days=20),
        "end": START + timedelta(days=30),
        "digest": "e" * 64,
        "candidate_loss": 0.46 + difference,
        "champion_version": champion,
        "champion_loss": 0.46,
        "prior_loss": 0.55,
        "difference": interval(difference, width),
        "predicted": 0.24,
        "observed": 0.23,
        "loss_sd": 0.4,
        "slices": (),
    }
    return Evaluation(**{**base, **fields})


def interval(mean: float, width: float, confidence: float = 0.95) -> Interval:
    return Interval(mean=mean, low=mean - width, high=mean + width, confidence=confidence)


def slice_(value: str, mean: float, width: float, rows: int = 500) -> SliceEvaluation:
    return SliceEvaluation(
        feature="origin",
        value=value,
        rows=rows,
        candidate_loss=0.46 + mean,
        champion_loss=0.46,
        difference=interval(mean, width),
    )


def trained(id_: str, evidence: Evaluation | None = None, **fields: Any) -> ModelTrained:
    base: dict[str, Any] = {
        "event_id": id_,
        "cause": "decision",
        "model": MODEL,
        "at": START + timedelta(days=31),
        "run_id": f"run-{id_}",
        "status": "trained",
        "trigger": "volume",
        "declaration": declaration().digest(),
        "artifact": "a" * 64,
        "algorithm": "lightgbm",
        "dataset": Dataset(
            uri="offline/flight-delay",
            version=3,
            rows=60_000,
            start=START,
            end=START + timedelta(days=30),
            digest="d" * 64,
        ),
        "trials": (),
        "evaluation": evidence or evaluation(),
        "seconds": 3.0,
        "reason": "lightgbm won",
    }
    return ModelTrained(**{**base, **fields})

"""A validation service on an in-memory Kafka, with a memory that is a dictionary."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from contracts.data import EVENTS, EVENTS_QUARANTINED, EVENTS_VALIDATED, LABELS, LABELS_VALIDATED
from contracts.declaration import Declaration
from contracts.registry import MODEL_DECLARED, ModelDeclared
from services.validation.app import parts
from services.validation.ports import CONTENT_BYTES, NAME_BYTES, Marks
from services.validation.settings import Settings
from shared.kafka import Consumer, Record
from tests.doubles import START_MS, MemoryKafka, telemetry

MODEL = "flight-delay"
NOON = datetime(2023, 11, 14, 12, tzinfo=UTC)


def declaration(**spec: Any) -> Declaration:
    """A binary model with a feature of every type; `spec` overrides parts of it."""
    features = {
        "seats": {"type": "int", "min": 1, "max": 600},
        "age": {"type": "float", "min": 0, "max": 70, "nullable": True},
        "carrier": {"type": "category", "categories": ["UA", "VX"]},
        "origin": {"type": "category", "nullable": True},
        "weekend": {"type": "bool"},
    }
    document = {
        "apiVersion": "driftwheel/v1",
        "kind": "Model",
        "metadata": {"name": spec.pop("name", MODEL)},
        "spec": {
            "task": "binary",
            "features": features,
            "label": {"name": "late", "horizon": "36h"},
            "prior": 0.24,
            "drift": {"window": "1h"},
            **spec,
        },
    }
    return Declaration.model_validate_json(json.dumps(document))


def declared(of: Declaration, revision: int = 1) -> ModelDeclared:
    """The event that declares it."""
    return ModelDeclared.caused_by(
        f"test/{revision}",
        model=of.name,
        at=NOON,
        revision=revision,
        digest=of.digest(),
        declaration=of,
    )


def event(number: int = 0, time: str = "2023-11-14T12:00:00Z", **features: Any) -> dict[str, Any]:
    """A good event; features override its own."""
    good = {"seats": 149, "age": 7.5, "carrier": "UA", "origin": "EWR", "weekend": False}
    return {"id": f"e{number}", "time": time, "features": {**good, **features}}


def label(number: int, value: Any = True, time: str = "2023-11-14T15:00:00Z") -> dict[str, Any]:
    """A good label."""
    return {"id": f"e{number}", "time": time, "value": value}


class DictMemory:
    """Remembers for ever; `failures` are raised first, one per call."""

    def __init__(self) -> None:
        self.values: dict[bytes, bytes] = {}
        self.failures: list[Exception] = []
        self.calls: list[str] = []

    async def recall(
        self, ids: bytes, names: bytes, keys: Sequence[bytes]
    ) -> tuple[bytes, list[bytes | None]]:
        self._call("recall")
        unknown = bytes(CONTENT_BYTES)
        contents = [self.values.get(ids + name, unknown) for name in cut(names, NAME_BYTES)]
        return b"".join(contents), [self.values.get(key) for key in keys]

    async def remember(self, marks: Marks, values: Mapping[bytes, bytes]) -> None:
        self._call("remember")
        names, contents = cut(marks.names, NAME_BYTES), cut(marks.contents, CONTENT_BYTES)
        for name, content in zip(names, contents, strict=True):
            self.values[marks.ids + name] = content
        self.values |= values

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if self.failures:
            raise self.failures.pop(0)


def cut(packed: bytes, size: int) -> list[bytes]:
    """Undo the packing of texts of one size."""
    return [packed[start : start + size] for start in range(0, len(packed), size)]


class World:
    """The service, its Kafka and its memory."""

    def __init__(self, partitions: int = 1, kafka: MemoryKafka | None = None, **settings: Any):
        self.kafka, self.memory = kafka or MemoryKafka(partitions=partitions), DictMemory()
        self.kafka.now_ms = START_MS
        own = parts(
            Settings(prefix="test.", **settings),
            telemetry("validation"),
            publisher=self.kafka,
            memory=self.memory,
        )
        self.consumer = next(part for part in own if isinstance(part, Consumer))
        self.kafka.attach(*own)

    def declare(self, of: Declaration, revision: int = 1) -> None:
        self.kafka.tell(MODEL_DECLARED, declared(of, revision))

    async def send(
        self,
        *values: Any,
        labels: bool = False,
        key: bytes | None = None,
        headers: Sequence[tuple[str, Any]] = (),
    ) -> None:
        """Append records as a user would, and let the service take them."""
        topic = self.kafka.names.data(LABELS if labels else EVENTS, MODEL)
        for value in values:
            written = value if value is None or isinstance(value, bytes) else json.dumps(value)
            raw = written.encode() if isinstance(written, str) else written
            self.kafka.append(topic, raw, key=key, headers=headers)
        await self.kafka.settle()

    @property
    def validated(self) -> list[Record]:
        return self.kafka.records(self.kafka.names.data(EVENTS_VALIDATED, MODEL))

    @property
    def labels(self) -> list[Record]:
        return self.kafka.records(self.kafka.names.data(LABELS_VALIDATED, MODEL))

    @property
    def quarantined(self) -> list[Record]:
        return self.kafka.records(self.kafka.names.data(EVENTS_QUARANTINED, MODEL))

    @property
    def reasons(self) -> list[str]:
        return [dict(record.headers)["quarantine-reason"].decode() for record in self.quarantined]


def started(partitions: int = 1, **settings: Any) -> World:
    """A world whose model is declared."""
    world = World(partitions, **settings)
    world.declare(declaration())
    return world

"""A monitor in memory: its Kafka, its store, a clock that stands still, and short messages."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from functools import partial

from contracts.data import LABELS_VALIDATED, OUTCOMES, PREDICTIONS
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
from services.monitor.app import parts
from services.monitor.handlers import Watches
from services.monitor.settings import Settings
from shared.kafka import Consumer, Message, Timer
from tests.doubles import MemoryKafka, telemetry
from tests.service.monitor.store import MemoryStore

DAY0 = datetime(2013, 6, 1, tzinfo=UTC)


def at(hours: float) -> str:
    """Write an event time, hours after the first of June."""
    return (DAY0 + timedelta(hours=hours)).isoformat().replace("+00:00", "Z")


def declaration(name="m", **spec) -> Declaration:
    """Declare a model: horizon 4 h, lateness 30 m, windows of a day."""
    return Declaration.model_validate_json(
        json.dumps(
            {
                "apiVersion": "driftwheel/v1",
                "kind": "Model",
                "metadata": {"name": name},
                "spec": {
                    "task": "binary",
                    "features": {
                        "carrier": {"type": "category"},
                        "plan": {"type": "int", "nullable": True},
                    },
                    "label": {"name": "late", "horizon": "4h"},
                    "slices": ["carrier"],
                    "cost": {"false_negative": 3, "false_positive": 1},
                }
                | spec,
            }
        )
    )


def declared(spec: Declaration) -> ModelDeclared:
    return ModelDeclared.caused_by(
        "test", model=spec.name, at=DAY0, revision=1, digest=spec.digest(), declaration=spec
    )


def released(version="0.0.0", baseline=None, revision=1, model="m", before=()) -> ReleaseChanged:
    stable = VersionRef(
        version=version,
        algorithm="linear",
        artifact=baseline,
        trained_at=None,
        loss=None,
        loss_sd=None,
        baseline=baseline,
    )
    return ReleaseChanged.caused_by(
        "test",
        distinct=str(revision),
        model=model,
        at=DAY0,
        revision=revision,
        plan=Plan(plan_id="p", stable=stable),
        history=tuple(PastPlan(effective=None, plan=event.plan) for event in before),
        reason="test",
    )


def prediction(
    event_id: str, hours: float, score=0.25, version="0.0.0", carrier="UA", **other
) -> bytes:
    """Write a prediction as serving does; spaces and spelling are its own."""
    return json.dumps(
        {
            "id": event_id,
            "time": at(hours),
            "model": "m",
            "version": version,
            "score": score,
            "decision": False,
            "features": {"carrier": carrier, "plan": 1},
            "plan": 'x","plan":',
            "role": "stable",
            "shadow": None,
        }
        | other
    ).encode()


def label(event_id: str, hours: float, value=True) -> bytes:
    return json.dumps({"id": event_id, "time": at(hours), "value": value}).encode()


class MemoryLog:
    """Reads a MemoryKafka by offset; where `ends` is set, it says that logs end there."""

    def __init__(self, kafka: MemoryKafka) -> None:
        self.kafka = kafka
        self.ends = None

    async def start(self): ...

    async def stop(self): ...

    def unready(self): ...

    async def record(self, position, offset):
        return next((r for r in self.kafka.logs[position] if r.offset >= offset), None)

    async def records(self, position, offsets):
        wanted = set(offsets)
        return {r.offset: r for r in self.kafka.logs[position] if r.offset in wanted}

    async def bounds(self, positions):
        logs = {position: self.kafka.logs[position] for position in positions}
        found = {
            p: (log[0].offset, log[-1].offset + 1) if log else (0, 0) for p, log in logs.items()
        }
        return {p: (first, self.ends or end) for p, (first, end) in found.items()}

    async def offset_at(self, position, timestamp_ms):
        log = self.kafka.logs[position]
        later = (r.offset for r in log if r.timestamp >= timestamp_ms)
        return next(later, len(log))

    async def committed(self, group, positions):
        for consumer, commits in self.kafka._consumers:
            if self.kafka.names.group(consumer.group) == group:
                return {p: commits[p] for p in positions if p in commits}
        return {}

    async def partitions(self, topic):
        return self.kafka.partitions


class World:
    """A running monitor; `restart` is what a SIGKILL leaves: commits and store, no memory."""

    def __init__(self, partitions=1, spec=None, store=None, **doubles):
        self.kafka = MemoryKafka(partitions=partitions)
        self.log = MemoryLog(self.kafka)
        self.store = store or MemoryStore()
        self.now, self.doubles = DAY0, doubles
        self.spec = spec or declaration()
        self.models = []
        self.start()
        if self.spec:
            self.declare(self.spec)
        self.offset = defaultdict(int)

    def start(self):
        settings = Settings(prefix=self.kafka.names.prefix)
        self.parts = parts(
            settings,
            telemetry("monitor"),
            publisher=self.kafka,
            store=self.store,
            log=self.log,
            clock=lambda: self.now,
            **self.doubles,
        )
        self.kafka.attach(*self.parts)
        self.assigned = False
        self.consumers = {p.group: p for p in self.parts if isinstance(p, Consumer)}
        self.sweep = next(p for p in self.parts if isinstance(p, Timer))
        self.watches = next(p for p in self.parts if isinstance(p, Watches))

    async def restart(self, rewind=None):
        """Start anew from the commits, of which `rewind` may take some back."""
        commits = {c.group: dict(at) for c, at in self.kafka._consumers}
        self.kafka._consumers.clear()
        self.kafka._tables.clear()
        self.start()
        for consumer, positions in self.kafka._consumers:
            positions.update(commits.get(consumer.group, {}))
            for position in positions:
                positions[position] = (rewind or (lambda offset: offset))(positions[position])
        await self.assign()

    async def assign(self):
        """Tell the join which partitions are its own, and seek where it says."""
        self.assigned = True
        join = self.consumers["monitor-join"]
        for table, positions in self.kafka._tables:
            self.kafka._feed(table, positions)
        every = frozenset(
            type(p)(self.topic(kind, model), n)
            for p in [next(iter(self.kafka.logs))]
            for model in self.models
            for kind in (PREDICTIONS, LABELS_VALIDATED)
            for n in range(self.kafka.partitions)
        )
        for hook in join.positioning:
            seeks = await join.patiently(partial(hook, every))
            next(at for c, at in self.kafka._consumers if c is join).update(seeks)

    def declare(self, spec):
        self.models.append(spec.name)
        self.kafka.tell(MODEL_DECLARED, declared(spec))
        self.kafka.tell(RELEASE_CHANGED, released(model=spec.name))

    @property
    def topic_of_outcomes(self):
        return self.topic(OUTCOMES)

    @property
    def topic_of_labels(self):
        return self.topic(LABELS_VALIDATED)

    def topic(self, kind, model="m"):
        return self.kafka.names.data(kind, model)

    def predict(self, event_id, hours, key=None, model="m", **fields):
        value = prediction(event_id, hours, model=model, **fields)
        self.kafka.append(self.topic(PREDICTIONS, model), value, key=key or event_id.encode())

    def tell(self, event_id, hours, value=True, key=None, model="m"):
        self.kafka.append(
            self.topic(LABELS_VALIDATED, model),
            label(event_id, hours, value),
            key=key or event_id.encode(),
        )

    async def settle(self, seconds=0.0):
        """Let everything be read; then wall time passes, and everything is read again."""
        if not self.assigned:
            await self.assign()
        for pause in (0.0, 0.0, seconds, 0.0):
            self.now += timedelta(seconds=pause)
            await self.kafka.settle()

    def outcomes(self, event_id=None):
        found = [json.loads(value) for value in self.kafka.values(self.topic(OUTCOMES))]
        return [o for o in found if event_id in (None, o["id"])]

    def outcome_records(self):
        return self.kafka.records(self.topic(OUTCOMES))

    def finals(self):
        """Keep one outcome per id as a reader does: the greatest label time, then log order."""
        last = {}
        for outcome in self.outcomes():
            known = last.get(outcome["id"])
            if known is None or (outcome["label_time"] or "") >= (known["label_time"] or ""):
                last[outcome["id"]] = outcome
        return last


def ce_id(record) -> str:
    return dict(record.headers)["ce_id"].decode()


__all__ = ["Message", "World", "at", "ce_id", "declaration", "label", "prediction", "released"]

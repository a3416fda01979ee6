"""Keeps the books: reads the topics of the run from their beginning."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from driftwheel.facts import Fact
from examples.demo.ground import Ground
from examples.demo.ledger import Ledger

DATA = ("events", "labels", "predictions", "outcomes", "events.quarantined")
CONTROL = (
    "training.decided.v1",
    "drift.detected.v1",
    "alert.raised.v1",
    "alert.resolved.v1",
    "registry.recorded.v1",
    "model.trained.v1",
)


@dataclass(slots=True)
class Books:
    """The ledger of the data plane, and the control plane's facts about the model.

    Attributes:
        facts: of the control plane, in the order read.
        first_prediction: monotonic seconds of its arrival.

    """

    ground: Ground
    model: str
    ledger: Ledger
    facts: list[Fact] = field(default_factory=list)
    champion: str = "0.0.0"
    first_prediction: float | None = None
    records: int = 0

    async def keep(self) -> None:
        """Read until cancelled."""
        names = [self.ground.topic(self.model, kind) for kind in DATA]
        names += [self.ground.control(name) for name in CONTROL]
        consumer = AIOKafkaConsumer(
            *names,
            bootstrap_servers=self.ground.kafka,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=100,
        )
        await consumer.start()
        try:
            while True:
                batches = await consumer.getmany(timeout_ms=200, max_records=5000)
                for position, records in batches.items():
                    kind = self._kind(position)
                    for record in records:
                        self._enter(kind, record)
        finally:
            await consumer.stop()

    def _kind(self, position: TopicPartition) -> str:
        name = position.topic.removeprefix(self.ground.prefix)
        return name.removeprefix(f"data.{self.model}.").removesuffix(".v1")

    def _enter(self, kind: str, record: Any) -> None:
        self.records += 1
        if kind == "events":
            self.ledger.event(record.value)
        elif kind == "labels":
            self.ledger.label(record.value)
        elif kind == "predictions":
            if self.first_prediction is None:
                self.first_prediction = time.monotonic()
            self.ledger.prediction(record.value, record.partition)
        elif kind == "outcomes":
            self.ledger.outcome(record.value)
        elif kind == "events.quarantined":
            self.ledger.quarantine(record.value or b"", _came_from(record))
        else:
            self._fact(json.loads(record.value), kind, record.timestamp)

    def _fact(self, content: dict[str, Any], subject: str, appended_ms: int) -> None:
        if content["model"] != self.model:
            return
        if subject == "registry.recorded" and content["fact"]["kind"] == "promoted":
            self.champion = content["fact"]["version"]
        at = datetime.fromisoformat(content["at"])
        self.facts.append(Fact(subject, self.model, at, appended_ms, content))

    def contents(self, subject: str) -> list[Any]:
        """Return the facts of one subject."""
        return [fact.content for fact in self.facts if fact.subject == subject]

    def decisions(self) -> dict[str, int]:
        """Count the decisions by kind."""
        counted: Counter[str] = Counter()
        for event in self.contents("training.decided"):
            counted[f"training {event['decision']}: {event['trigger']}"] += 1
        for event in self.contents("drift.detected"):
            counted[f"drift detected: {event['detector']}"] += 1
        for event in self.contents("alert.raised"):
            counted[f"alert raised: {event['detector']}"] += 1
        for event in self.contents("registry.recorded"):
            counted[_registry_decision(event["fact"])] += 1
        return dict(sorted(counted.items()))

    def versions(self) -> list[dict[str, Any]]:
        """List the versions that were trained: what became of each, and why."""
        rows: dict[str, dict[str, Any]] = {}
        for event in self.contents("registry.recorded"):
            fact = event["fact"]
            if fact["kind"] == "registered":
                version = fact["version"]
                rows[version["version"]] = {
                    "version": version["version"],
                    "algorithm": version["algorithm"],
                    "trained_at": version["trained_at"],
                    "rows": fact["rows"],
                    "promoted": False,
                    "why": "",
                }
            elif fact["kind"] == "gated":
                rows[fact["version"]] |= {"promoted": fact["passed"], "why": event["reason"]}
        return list(rows.values())

    def open_runs(self) -> int:
        """Count the training runs that have started and not ended."""
        ended = {event["run_id"] for event in self.contents("model.trained")}
        decided = self.contents("training.decided")
        return sum(e["decision"] == "started" and e["run_id"] not in ended for e in decided)


def _registry_decision(fact: dict[str, Any]) -> str:
    if fact["kind"] == "gated":
        return "gate passed" if fact["passed"] else "gate refused"
    if fact["kind"] == "promoted":
        return f"promoted: {fact['how']}"
    return str(fact["kind"])


def _came_from(record: Any) -> str:
    headers = {name: value for name, value in record.headers if value is not None}
    return bytes(headers.get("quarantine-topic", b"")).decode()

"""Real topic names: the cards of `contracts/` under the deployment's prefix."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from contracts import DATA_TOPICS, TOPICS, DataTopic, Event, Topic
from shared.errors import Transient

DEAD_LETTERS = ".dlq"
# A parked record travels with headers of ours, so what carries it takes more than its source.
LARGE = {"max.message.bytes": str(4 * 1024 * 1024)}
LOOKS, LOOK_S = 200, 0.05
ALREADY_EXISTS = 36
RETRIABLE = frozenset({3, 5, 6, 7, 13, 14, 15, 16, 41})

TOPIC_OF: dict[type[Event], Topic[Any]] = {topic.message: topic for topic in TOPICS}


@dataclass(frozen=True, slots=True)
class Names:
    """The real names of topics and groups in one deployment."""

    prefix: str = "driftwheel."

    def topic(self, topic: Topic[Any]) -> str:
        """Name a control-plane topic."""
        return self.prefix + topic.name

    def data(self, topic: DataTopic, model: str) -> str:
        """Name the data topic of one model."""
        return self.prefix + topic.name(model)

    def group(self, group: str) -> str:
        """Name a consumer group."""
        return f"{self.prefix}{group}"

    def pattern(self, topic: DataTopic) -> str:
        """Write the regular expression of a data topic over all models; group 1 is the model."""
        return rf"{re.escape(self.prefix)}data\.([a-z0-9-]+)\.{re.escape(topic.kind)}\.v1"


async def ensure(kafka: str, specs: Iterable[NewTopic]) -> None:
    """Create the topics that do not exist yet, and wait until each of them has its leaders.

    Raises:
        Transient: the broker is not ready for it.
        RuntimeError: the broker refuses; the text names topic and reason.

    """
    wanted = list(specs)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    try:
        await admin.start()
        existing = set(await admin.list_topics())
        missing = [spec for spec in wanted if spec.name not in existing]
        answer: Any = await admin.create_topics(missing) if missing else None
        _refused(answer)
        await _led(admin, [spec.name for spec in missing])
    finally:
        await admin.close()


async def retentions(kafka: str, topics: Collection[str]) -> dict[str, timedelta]:
    """Ask how long the broker keeps the records of topics; those kept for ever are left out."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    try:
        await admin.start()
        asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in topics]
        answers: Any = await admin.describe_configs(asked)
    finally:
        await admin.close()
    kept = {
        name: int(entry[1])
        for answer in answers
        for _, _, _, name, entries in answer.resources
        for entry in entries
        if entry[0] == "retention.ms"
    }
    return {name: timedelta(milliseconds=ms) for name, ms in kept.items() if ms >= 0}


def _refused(answer: Any) -> None:
    """Read the codes of an answer; the client itself never raises for a refused topic."""
    for name, code, *detail in answer.topic_errors if answer else ():
        if code in RETRIABLE:
            raise Transient(f"topic {name} cannot be created yet (Kafka code {code})")
        if code not in (0, ALREADY_EXISTS):
            raise RuntimeError(f"Kafka refuses topic {name}: code {code} {detail}")


async def _led(admin: AIOKafkaAdminClient, names: list[str]) -> None:
    """Wait for the leaders: clients take a topic without them for one that does not exist."""
    for _ in range(LOOKS):
        topics: Any = await admin.describe_topics(names) if names else []
        partitions = [one for topic in topics for one in topic["partitions"]]
        codes = [one["error_code"] for one in (*topics, *partitions)]
        if not any(codes) and len(topics) == len(names):
            return
        await asyncio.sleep(LOOK_S)
    raise Transient(f"topics have no leaders yet: {', '.join(names)}")


def control_topics(names: Names, topics: Iterable[Topic[Any]], replicas: int) -> list[NewTopic]:
    """Describe control-plane topics and their dead letters to the broker."""
    specs = []
    for topic in topics:
        retention = -1 if topic.retention is None else _milliseconds(topic.retention)
        config = {"retention.ms": str(retention), "cleanup.policy": topic.cleanup}
        specs.append(_spec(names.topic(topic), topic.partitions, replicas, config))
        dead = {"retention.ms": "-1", **LARGE}
        specs.append(_spec(names.topic(topic) + DEAD_LETTERS, 1, replicas, dead))
    return specs


def data_topics(
    names: Names,
    model: str,
    partitions: int,
    replicas: int,
    waits: timedelta = timedelta(0),
) -> list[NewTopic]:
    """Describe one model's data topics and their dead letters to the broker.

    Args:
        names: real topic names.
        model: whose topics.
        partitions: of each data topic; equal, because they are joined.
        replicas: copies of each partition.
        waits: how long predictions wait for their labels; they must be kept for longer.

    """
    specs = []
    for topic in DATA_TOPICS:
        keep = _milliseconds(topic.kept(waits))
        name = names.data(topic, model)
        config = {"retention.ms": str(keep)} | (LARGE if topic.payload == "bytes" else {})
        specs.append(_spec(name, partitions, replicas, config))
        if topic.payload != "bytes":
            dead = {"retention.ms": str(2 * keep), **LARGE}
            specs.append(_spec(name + DEAD_LETTERS, 1, replicas, dead))
    return specs


def _spec(name: str, partitions: int, replicas: int, config: dict[str, str]) -> NewTopic:
    # Event time of old data as record time would delete it at once: the broker stamps records.
    stamped = {"message.timestamp.type": "LogAppendTime", **config}
    return NewTopic(name, partitions, replicas, topic_configs=stamped)


def _milliseconds(span: timedelta) -> int:
    return int(span.total_seconds() * 1000)

"""Data topics on Kafka."""

from __future__ import annotations

from datetime import timedelta

from contracts.base import OUTAGE
from contracts.data import LABELS_VALIDATED, PREDICTIONS
from contracts.declaration import spelled
from services.registry.ports import TopicsRefused
from shared.kafka.names import Names, data_topics, ensure, retentions


class KafkaDataTopics:
    """Creates the topics of a new model.

    Args:
        kafka: bootstrap address.
        names: real topic names.
        partitions: of each data topic; equal, because they are joined.
        replicas: copies of each partition.

    """

    def __init__(self, kafka: str, names: Names, partitions: int, replicas: int) -> None:
        self.kafka, self.names = kafka, names
        self.partitions, self.replicas = partitions, replicas

    async def create(self, model: str, waits: timedelta) -> None:
        """See `ports.DataTopics`."""
        specs = data_topics(self.names, model, self.partitions, self.replicas, waits)
        try:
            await ensure(self.kafka, specs)
        except RuntimeError as error:
            raise TopicsRefused(str(error)) from error
        joined = [self.names.data(topic, model) for topic in (PREDICTIONS, LABELS_VALIDATED)]
        for topic, kept in (await retentions(self.kafka, joined)).items():
            if kept < waits + OUTAGE:
                raise TopicsRefused(_too_short(topic, kept, waits))


def _too_short(topic: str, kept: timedelta, waits: timedelta) -> str:
    least = waits + OUTAGE
    return (
        f"topic {topic} keeps its records for {spelled(kept)}, but label.horizon, lateness and "
        f"grace come to {spelled(waits)}, and an outage of {spelled(OUTAGE)} must lose nothing: "
        f"set its retention.ms to {int(least.total_seconds() * 1000)} or more (kafka-configs.sh "
        f"--alter --topic {topic} --add-config retention.ms=...), or shorten horizon or grace"
    )

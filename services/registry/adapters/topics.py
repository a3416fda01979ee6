"""Data topics on Kafka."""

from __future__ import annotations

from datetime import timedelta

from services.registry.ports import TopicsRefused
from shared.kafka.names import Names, data_topics, ensure


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

    async def create(self, model: str, horizon: timedelta) -> None:
        """Create those that are missing."""
        specs = data_topics(self.names, model, self.partitions, self.replicas, horizon)
        try:
            await ensure(self.kafka, specs)
        except RuntimeError as error:
            raise TopicsRefused(str(error)) from error

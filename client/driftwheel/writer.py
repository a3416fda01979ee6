"""Publishing: whole batches per partition, acknowledged before it returns."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.producer.message_accumulator import BatchBuilder

from driftwheel.endpoints import Endpoints
from driftwheel.errors import Invalid, NotAcknowledged, NotFound, Unreachable
from driftwheel.messages import Record

MAX_BATCH = 1_000_000
PARTITION_OF = DefaultPartitioner()


class Writer:
    """An idempotent producer with acks=all; connects when it is first needed.

    Args:
        endpoints: where Kafka is.
        deadline_s: seconds one call may wait for its acknowledgements.

    """

    def __init__(self, endpoints: Endpoints, deadline_s: float) -> None:
        self.endpoints, self.deadline_s = endpoints, deadline_s
        self._producer: AIOKafkaProducer | None = None
        self._partitions: dict[str, list[int]] = {}
        self._starting = asyncio.Lock()

    async def publish(self, topic: str, records: Sequence[Record]) -> None:
        """Publish all, in order per key.

        Raises:
            NotFound: there is no such topic.
            Invalid: a record is larger than Kafka takes; none was published.
            NotAcknowledged: publish the same again.

        """
        if not records:
            return
        producer = await self._connected()
        try:
            async with asyncio.timeout(self.deadline_s):
                groups = await self._grouped(producer, topic, records)
                await self._send(producer, topic, groups)
        except MessageSizeTooLargeError as error:
            raise Invalid(f"a record for {topic} is larger than this Kafka takes") from error
        except (KafkaError, TimeoutError) as error:
            # A producer that is out of sequence never recovers; the next call gets a new one.
            self._producer = None
            await _close(producer)
            raise NotAcknowledged(
                f"Kafka at {self.endpoints.kafka} has not acknowledged within "
                f"{self.deadline_s:g} s ({error!r}). Publish the same again: ids are recognised."
            ) from error

    async def stop(self) -> None:
        """Disconnect."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await _close(producer)

    async def _connected(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    bootstrap_servers=self.endpoints.kafka,
                    acks="all",
                    enable_idempotence=True,
                    compression_type="zstd",
                    max_batch_size=MAX_BATCH,
                )
                await connect(producer, self.endpoints)
                self._producer = producer
            return self._producer

    async def _grouped(
        self, producer: AIOKafkaProducer, topic: str, records: Sequence[Record]
    ) -> dict[int, list[BatchBuilder]]:
        if topic not in self._partitions:
            cluster = await producer.client.fetch_all_metadata()
            self._partitions[topic] = partitions_of(cluster, topic, self.endpoints)
        partitions = self._partitions[topic]
        groups: dict[int, list[Record]] = defaultdict(list)
        for record in records:
            groups[PARTITION_OF(record.key, partitions, partitions)].append(record)
        return {partition: list(_batches(producer, group)) for partition, group in groups.items()}

    @staticmethod
    async def _send(
        producer: AIOKafkaProducer, topic: str, groups: dict[int, list[BatchBuilder]]
    ) -> None:
        acks = [
            await producer.send_batch(batch, topic, partition=partition)
            for partition, batches in groups.items()
            for batch in batches
        ]
        answers = await asyncio.gather(*acks, return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer


async def connect(client: Any, endpoints: Endpoints) -> None:
    """Start an aiokafka client.

    Raises:
        Unreachable: Kafka does not answer.

    """
    try:
        await client.start()
    except BaseException as error:
        # The admin client spells it differently from the others.
        await (client.close() if hasattr(client, "close") else client.stop())
        if not isinstance(error, KafkaError | OSError):
            raise
        raise Unreachable(
            f"Kafka at {endpoints.kafka} ({endpoints.origin}) does not answer. "
            "Start it with `driftwheel up`, or look with `driftwheel doctor`."
        ) from error


def partitions_of(cluster: Any, topic: str, endpoints: Endpoints) -> list[int]:
    """List a topic's partitions.

    Raises:
        NotFound: there is no such topic; the text names the models that exist.

    """
    found = cluster.partitions_for_topic(topic)
    if found:
        return sorted(found)
    models = sorted({m for name in cluster.topics() if (m := endpoints.model_of(name))})
    known = f"declared are: {', '.join(models)}" if models else "none is declared yet"
    raise NotFound(
        f"There is no topic {topic}: is the model declared? Of models, {known}. "
        "Declare one with `driftwheel apply -f FILE`."
    )


def _batches(producer: AIOKafkaProducer, group: Sequence[Record]) -> Iterator[BatchBuilder]:
    batch = producer.create_batch()
    for record in group:
        _check_size(record)
        item: dict[str, Any] = {
            "key": record.key,
            "value": record.value,
            "headers": list(record.headers),
            "timestamp": None,
        }
        # append() answers None for a full batch; an empty one takes any record.
        if batch.append(**item) is None:
            yield batch
            batch = producer.create_batch()
            batch.append(**item)
    yield batch


def _check_size(record: Record) -> None:
    """Refuse what Kafka would refuse again and again, together with its neighbours."""
    key, headers = record.key or b"", sum(len(name) + len(text) for name, text in record.headers)
    size = len(key) + len(record.value or b"") + headers
    if size > MAX_BATCH:
        name = key[:200].decode("utf-8", "replace")
        raise Invalid(f"the record with key {name!r} has {size:,} bytes; Kafka takes {MAX_BATCH:,}")


async def _close(producer: AIOKafkaProducer) -> None:
    with contextlib.suppress(TimeoutError, KafkaError):
        await asyncio.wait_for(producer.stop(), 5)

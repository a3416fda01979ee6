"""The framework's side of a consumer: batches of raw records, one after another."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from faststream import AckPolicy
from faststream.kafka import KafkaBroker

from shared.kafka.message import Record

ENOUGH = 65_536

Listen = Callable[[Sequence[Record]], Awaitable[None]]


class Subscription:
    """A batch subscriber that acknowledges nothing by itself and that no record can break.

    Args:
        kafka: bootstrap address.
        group: real name of the consumer group.
        pattern: of the topics.
        listen: awaited with each batch; one at a time.
        listener: told of partitions that go and come.
        instance: stable name of this member.
        max_records: largest batch.
        linger_s: the broker holds few records back for so long, in case more come.
        poll_s: seconds without a poll until the member leaves its group.
        rebalance_s: seconds that the group waits for a member to finish its batch.

    """

    def __init__(
        self,
        kafka: str,
        group: str,
        pattern: str,
        listen: Listen,
        listener: ConsumerRebalanceListener,
        *,
        instance: str | None,
        max_records: int,
        linger_s: float,
        poll_s: float,
        rebalance_s: float,
    ) -> None:
        self.listen = listen
        self._broker = KafkaBroker(
            kafka,
            consumer_only=True,
            allow_auto_create_topics=False,
            # A new model's topics are found at the next refresh.
            metadata_max_age_ms=2000,
            logger=None,
            client_id=group,
        )
        self._subscriber = self._broker.subscriber(
            pattern=f"^({pattern})$",
            batch=True,
            group_id=group,
            group_instance_id=f"{group}.{instance}" if instance else None,
            ack_policy=AckPolicy.MANUAL,
            auto_offset_reset="earliest",
            # Round robin would tear the partitions of joined topics apart.
            partition_assignment_strategy=(RangePartitionAssignor,),
            max_records=max_records,
            batch_timeout_ms=50,
            # Without a linger what comes is fetched at once, and only the wait for nothing bounded.
            fetch_min_bytes=ENOUGH if linger_s else 1,
            fetch_max_wait_ms=int(1000 * linger_s) or 100,
            session_timeout_ms=6000,
            heartbeat_interval_ms=1000,
            max_poll_interval_ms=int(1000 * poll_s),
            rebalance_timeout_ms=int(1000 * rebalance_s),
            listener=listener,
            parser=_keep_raw,
            decoder=_as_is,
        )
        self._subscriber(self._receive)

    @property
    def reader(self) -> AIOKafkaConsumer | None:
        """The client underneath, while there is one."""
        return self._subscriber.consumer

    async def start(self) -> None:
        """Join the group and begin to receive."""
        await self._broker.start()
        assert self.reader is not None
        _follow_all_topics(self.reader)

    async def stop(self) -> None:
        """Leave the group."""
        await self._broker.stop()

    async def _receive(self, message: Any) -> None:
        await self.listen(message.raw_message)
        # The framework keeps a reference to the message: let go of the batch at least.
        message.body, message.raw_message = [], message.raw_message[:1]


def _follow_all_topics(reader: AIOKafkaConsumer) -> None:
    """Keep the client from narrowing itself to one topic: a pattern would lose all others.

    It does so whenever it asks for offsets of a partition whose leader it does not know, which is
    what a broker that comes back looks like (aiokafka 0.14, `Fetcher._proc_offset_requests`).
    """
    client = reader._client
    client.add_topic = lambda _: client.force_metadata_update()  # type: ignore[method-assign]
    client.set_topics([])


async def _keep_raw(records: Sequence[Record], original: Any) -> Any:
    """Parse an empty stand-in, so that no header and no body can break it; keep the records."""
    message = await original((replace(records[0], key=None, value=b"", headers=()),))
    message.raw_message = records
    return message


async def _as_is(message: Any) -> Any:
    return message

"""Reads Kafka by offset, outside of any group."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Collection

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient

from shared.errors import Transient
from shared.kafka.message import Position, Record

DEADLINE_S, FETCH_MS = 10.0, 1000


class Reader:
    """Fetches records, offsets and commits; a record alone costs about a millisecond."""

    def __init__(self, kafka: str) -> None:
        self.kafka = kafka
        self._consumer: AIOKafkaConsumer | None = None
        self._admin: AIOKafkaAdminClient | None = None
        self._lock = asyncio.Lock()

    async def start(self) -> None:
        """Connect."""
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=self.kafka,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=50,
            max_partition_fetch_bytes=65_536,
            metadata_max_age_ms=10_000,
        )
        await self._consumer.start()
        self._admin = AIOKafkaAdminClient(bootstrap_servers=self.kafka)
        await self._admin.start()

    async def stop(self) -> None:
        """Disconnect."""
        consumer, admin = self._consumer, self._admin
        self._consumer = self._admin = None
        if consumer is not None:
            await consumer.stop()
        if admin is not None:
            await admin.close()

    def unready(self) -> str | None:
        """Say why nothing can be fetched now; None when it can."""
        return None if self._admin is not None else "not connected to Kafka"

    async def record(self, position: Position, offset: int) -> Record | None:
        """Fetch the first record at or after an offset; None at the end.

        Raises:
            Transient: Kafka does not answer.

        """
        async with self._lock, asyncio.timeout(DEADLINE_S):
            consumer = self._connected
            consumer.assign([position])
            beginning = (await consumer.beginning_offsets([position]))[position]
            end = (await consumer.end_offsets([position]))[position]
            if max(offset, beginning) >= end:
                return None
            consumer.seek(position, max(offset, beginning))
            return await consumer.getone(position)

    async def records(self, position: Position, offsets: Collection[int]) -> dict[int, Record]:
        """Fetch the records at offsets, as far as they are still there; neighbours come together.

        Raises:
            Transient: Kafka does not answer.

        """
        if not offsets:
            return {}
        beginning, end = (await self.bounds([position]))[position]
        wanted = sorted(offset for offset in set(offsets) if beginning <= offset < end)
        found: dict[int, Record] = {}
        async with self._lock, asyncio.timeout(DEADLINE_S):
            consumer = self._connected
            consumer.assign([position])
            place, ahead = 0, -1
            while place < len(wanted):
                # What was fetched beyond the last batch is kept only by who does not seek.
                if wanted[place] != ahead:
                    consumer.seek(position, wanted[place])
                fetched = await consumer.getmany(position, timeout_ms=FETCH_MS)
                batch = {record.offset: record for record in fetched.get(position, ())}
                ahead = max(batch, default=ahead - 1) + 1
                done = bisect_left(wanted, ahead, place)
                found |= {at: batch[at] for at in wanted[place:done] if at in batch}
                place = done
        return found

    async def bounds(self, positions: Collection[Position]) -> dict[Position, tuple[int, int]]:
        """Fetch the first offset still there and the one after the last."""
        async with asyncio.timeout(DEADLINE_S):
            beginnings = await self._connected.beginning_offsets(list(positions))
            ends = await self._connected.end_offsets(list(positions))
        return {position: (beginnings[position], ends[position]) for position in positions}

    async def offset_at(self, position: Position, timestamp_ms: int) -> int:
        """Find the first offset appended at or after a time; the end where there is none."""
        async with asyncio.timeout(DEADLINE_S):
            times = {position: max(0, timestamp_ms)}
            found = (await self._connected.offsets_for_times(times))[position]
            if found is not None:
                return int(found.offset)
            return int((await self._connected.end_offsets([position]))[position])

    async def committed(self, group: str, positions: Collection[Position]) -> dict[Position, int]:
        """Fetch what a group has committed; without a commit a position is left out."""
        if self._admin is None:
            raise Transient("not connected to Kafka")
        async with asyncio.timeout(DEADLINE_S):
            answer = await self._admin.list_consumer_group_offsets(
                group, partitions=list(positions)
            )
        return {
            position: answer[position].offset
            for position in positions
            if position in answer and answer[position].offset >= 0
        }

    async def partitions(self, topic: str) -> int:
        """Count the partitions of a topic.

        Raises:
            Transient: the topic is not known (yet).

        """
        async with asyncio.timeout(DEADLINE_S):
            found = await self._connected._client._wait_on_metadata(topic)
        return len(found)

    @property
    def _connected(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            raise Transient("not connected to Kafka")
        return self._consumer

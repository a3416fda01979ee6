"""What a group has committed: one commit at a time, beside the work on the batch that follows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from shared.kafka.message import Position
from shared.telemetry import Telemetry

COMMIT_S = 3.0

Offsets = Mapping[Position, int]


class Commits:
    """Commits offsets in the order in which they are given.

    Args:
        telemetry: counts the commits.
        group: names the consumer group there.

    """

    def __init__(self, telemetry: Telemetry, group: str) -> None:
        self.telemetry, self.group = telemetry, group
        self._under_way: asyncio.Task[None] | None = None

    async def begin(
        self, reader: AIOKafkaConsumer, ends: Offsets, done: Callable[[], None]
    ) -> None:
        """Commit in the background, after the commit before; `done` is called when it is certain.

        What went wrong with the commit before, and is no matter of Kafka, is raised here.
        """
        await self.settle()
        if self._under_way is not None:
            self._under_way.result()
        self._under_way = asyncio.create_task(self._later(reader, ends, done))

    async def certain(self, reader: AIOKafkaConsumer, ends: Offsets) -> bool:
        """Commit, and tell whether Kafka has it."""
        await self.settle()
        return await self._commit(reader, ends)

    async def settle(self) -> None:
        """Wait until no commit is under way."""
        if self._under_way is not None:
            await asyncio.wait([self._under_way])

    async def _later(
        self, reader: AIOKafkaConsumer, ends: Offsets, done: Callable[[], None]
    ) -> None:
        if await self._commit(reader, ends):
            done()

    async def _commit(self, reader: AIOKafkaConsumer, ends: Offsets) -> bool:
        owned = reader.assignment()
        ours = {position: end for position, end in ends.items() if position in owned}
        try:
            async with asyncio.timeout(COMMIT_S):
                if not ours:
                    raise IllegalStateError("none of the partitions is assigned")
                await reader.commit(ours)
        except (CommitFailedError, IllegalStateError) as error:
            # Fenced by a rebalance: the new owner handles the batch again, under the same ids.
            self.telemetry.log.warning("not committed, another member owns it now: %r", error)
        except (KafkaError, TimeoutError) as error:
            # The work is done and safe; the next commit covers this one.
            self.telemetry.log.warning("commit postponed: %r", error)
        else:
            self.telemetry.count("commits", self.group)
            return True
        return False

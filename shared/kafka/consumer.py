"""The consumer wrapper: the only way a service may subscribe."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker

from shared.clock import wall_clock
from shared.kafka.handling import Abandoned, Handling
from shared.kafka.message import Position, Record, Run, Told, runs_of
from shared.kafka.names import Names
from shared.kafka.producer import Publisher
from shared.telemetry import Telemetry

DRAIN_S = 30.0
HOLD_S = 0.25

Positioning = Callable[[frozenset[Position]], Awaitable[dict[Position, int]]]
Ripe = Callable[[Position], Awaitable[bool]]


class Consumer(Handling):
    """One consumer group of a service: one serial loop over all topics it hears.

    Guarantee: a record is committed after everything it leads to has been acknowledged by Kafka;
    a record that can never be handled goes to `<topic>.dlq` with its bytes untouched.

    Args:
        telemetry: of the service; its name is also the source of what is told.
        group: name of the consumer group, without the deployment's prefix.
        kafka: bootstrap address.
        names: real topic names.
        publisher: takes what handlers tell.
        transient: further exceptions that mean "the world, not the message".
        instance: stable name of this copy; with it a restart does not wait for the session.
        max_records: largest batch.

    """

    def __init__(
        self,
        telemetry: Telemetry,
        group: str,
        *,
        kafka: str,
        names: Names,
        publisher: Publisher,
        transient: tuple[type[Exception], ...] = (),
        instance: str | None = None,
        max_records: int = 1000,
    ) -> None:
        super().__init__(telemetry, group, names=names, publisher=publisher, transient=transient)
        self.kafka, self.instance, self.max_records = kafka, instance, max_records
        self.lag: dict[Position, int] = {}
        self.positioning: list[Positioning] = []
        self.ripe: Ripe = _always
        self.in_flight = asyncio.Lock()
        self.held: set[Position] = set()
        self._broker: KafkaBroker | None = None
        self._resuming: asyncio.Task[None] | None = None

    def on_assigned(self, hook: Positioning) -> None:
        """Ask `hook` where to read whenever partitions are assigned; it may answer for some."""
        self.positioning.append(hook)

    def on_held(self, ripe: Ripe) -> None:
        """Ask `ripe` whether reading a held partition again would help; else it is left alone."""
        self.ripe = ripe

    async def start(self) -> None:
        """Join the group and begin to handle."""
        self.ending.clear()
        group = self.names.group(self.group)
        broker = KafkaBroker(
            self.kafka,
            consumer_only=True,
            allow_auto_create_topics=False,
            # A new model's topics are found at the next refresh.
            metadata_max_age_ms=2000,
            logger=None,
            client_id=f"driftwheel-{self.group}",
        )
        self._broker = broker
        subscriber = broker.subscriber(
            pattern="^(" + "|".join(pattern.pattern for pattern, _ in self.routes) + ")$",
            batch=True,
            group_id=group,
            group_instance_id=f"{group}.{self.instance}" if self.instance else None,
            ack_policy=AckPolicy.MANUAL,
            auto_offset_reset="earliest",
            # Round robin would tear the partitions of joined topics apart.
            partition_assignment_strategy=(RangePartitionAssignor,),
            max_records=self.max_records,
            batch_timeout_ms=50,
            # Bounds only the wait for nothing: what comes is fetched at once.
            fetch_max_wait_ms=100,
            session_timeout_ms=6000,
            heartbeat_interval_ms=1000,
            max_poll_interval_ms=3_600_000,
            listener=_Rebalance(self, lambda: subscriber.consumer),
            parser=_keep_raw,
            decoder=_as_is,
        )
        subscriber(self._listen)
        await broker.start()
        self._resuming = asyncio.create_task(self._resume(lambda: subscriber.consumer))

    async def stop(self) -> None:
        """Finish the batch in flight, leave the group."""
        self.ending.set()
        if self._resuming is not None:
            self._resuming.cancel()
        if self._broker is not None:
            async with asyncio.timeout(DRAIN_S), self.in_flight:
                await self._broker.stop()

    def unready(self) -> str | None:
        """Say why no record can be handled now; None when all is well."""
        started = self._resuming is not None
        return self.halted or self.waiting or (None if started else f"{self.group} not started")

    async def _listen(self, message: Any) -> None:
        """Receive one batch; the framework calls strictly one after another."""
        records, reader = message.raw_message, message.consumer
        async with self.in_flight:
            if self.halted:
                await self.ending.wait()
            if self.ending.is_set():
                return
            try:
                ends, told = await self.process(records)
                await self._commit(reader, ends)
                self._hold(reader, told)
                self._measure(reader, ends, runs_of(records))
            except Abandoned:
                return
            except Exception as error:
                # The framework would go on, and the next commit would cover this batch.
                self.halt(f"{error!r} escaped the handling of a batch")
        # The framework keeps a reference to the message: let go of the batch at least.
        message.body, message.raw_message = [], records[:1]

    async def _commit(self, reader: AIOKafkaConsumer, ends: dict[Position, int]) -> None:
        owned = reader.assignment()
        try:
            await reader.commit({where: end for where, end in ends.items() if where in owned})
        except (CommitFailedError, IllegalStateError) as error:
            # Fenced by a rebalance: the new owner handles the batch again, under the same ids.
            self.telemetry.log.warning("not committed, another member owns it now: %r", error)
        except KafkaError as error:
            # The work is done and safe; the next commit covers this one.
            self.telemetry.log.warning("commit postponed: %r", error)

    def _hold(self, reader: AIOKafkaConsumer, told: Told) -> None:
        for position, offset in told.held.items():
            if position in reader.assignment():
                reader.seek(position, offset)
                reader.pause(position)
                self.held.add(position)

    def _measure(
        self, reader: AIOKafkaConsumer, ends: dict[Position, int], runs: Sequence[Run]
    ) -> None:
        for position, end in ends.items():
            high = reader.highwater(position) if position in reader.assignment() else None
            if high is not None:
                self.lag[position] = max(0, high - end)
        behind = [r.records[-1].timestamp / 1000 for r in runs if self.lag.get(r.position)]
        age = wall_clock().timestamp() - min(behind) if behind else 0.0
        self.telemetry.gauge("lag", self.group, sum(self.lag.values()))
        self.telemetry.gauge("oldest_age_seconds", self.group, max(0.0, age))

    async def _resume(self, reader_now: Callable[[], AIOKafkaConsumer | None]) -> None:
        """Let held partitions try again, a few times a second."""
        while True:
            await asyncio.sleep(HOLD_S)
            reader = reader_now()
            if reader is None or not self.held:
                continue
            ripe = {position for position in tuple(self.held) if await self._is_ripe(position)}
            async with self.in_flight:
                reader.resume(*(ripe & self.held & reader.assignment()))
                self.held -= ripe

    async def _is_ripe(self, position: Position) -> bool:
        try:
            return await self.ripe(position)
        except self.transient:
            # The handler that reads it again knows how to wait, and says so.
            return True


class _Rebalance(ConsumerRebalanceListener):
    """Lets the batch in flight finish before partitions go, and positions those that come."""

    def __init__(self, owner: Consumer, reader_now: Callable[[], AIOKafkaConsumer | None]) -> None:
        self.owner, self.reader_now = owner, reader_now

    async def on_partitions_revoked(self, revoked: Any) -> None:
        """Wait for the batch in flight."""
        try:
            async with asyncio.timeout(DRAIN_S), self.owner.in_flight:
                self.owner.held.clear()
                self.owner.lag.clear()
        except TimeoutError:
            self.owner.telemetry.log.warning("a batch did not finish before its partitions went")

    async def on_partitions_assigned(self, assigned: Any) -> None:
        """Seek where the service knows better than the committed offset."""
        reader = self.reader_now()
        for hook in self.owner.positioning:
            try:
                offsets = await self.owner.patiently(partial(hook, frozenset(assigned)))
            except Abandoned:
                return
            except Exception as error:
                # The client would only log it, and read from where it should not.
                self.owner.halt(f"{error!r} while partitions were taken over")
                return
            for position, offset in offsets.items():
                assert reader is not None
                reader.seek(position, offset)


async def _keep_raw(records: Sequence[Record], original: Any) -> Any:
    """Parse an empty stand-in, so that no header and no body can break it; keep the records."""
    message = await original((replace(records[0], key=None, value=b"", headers=()),))
    message.raw_message = records
    return message


async def _always(_: Position) -> bool:
    return True


async def _as_is(message: Any) -> Any:
    return message

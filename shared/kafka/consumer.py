"""The consumer wrapper: validate each, effects, publish and acknowledge, then commit."""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker

from contracts import DataTopic, Topic
from shared.errors import Transient
from shared.kafka.deadletters import dead_letter
from shared.kafka.message import (
    Batch,
    BatchHandler,
    Handler,
    Message,
    Parked,
    Position,
    Record,
    Told,
    envelope,
    position_of,
)
from shared.kafka.names import TOPIC_OF, Names
from shared.kafka.producer import Publisher, Unpublishable
from shared.kafka.tracing import Spans
from shared.telemetry import Telemetry

TRIES = 3
LONGEST_WAIT_S = 5.0
PARKED_IN_A_ROW = 1000
DRAIN_S = 30.0
HOLD_S = 0.1

T = TypeVar("T")
Settle = Callable[[Sequence[Record]], Awaitable[Told]]


class Consumer:
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
        self.telemetry, self.group, self.names, self.publisher = telemetry, group, names, publisher
        self.kafka, self.instance, self.max_records = kafka, instance, max_records
        self.transient = (Transient, ConnectionError, TimeoutError, KafkaError, *transient)
        self.waiting: str | None = None
        self.halted: str | None = None
        self.lag: dict[Position, int] = {}
        self._routes: list[tuple[re.Pattern[str], Settle]] = []
        self._assigned: list[Callable[[frozenset[Position]], Awaitable[dict[Position, int]]]] = []
        self._lock = asyncio.Lock()
        self._parked_in_a_row = 0
        self._held: set[Position] = set()
        self._broker: KafkaBroker | None = None
        self._resuming: asyncio.Task[None] | None = None

    def on(self, topic: Topic[Any], handler: Handler, **dependencies: Any) -> None:
        """Hear a control-plane topic, one validated event at a time."""
        bound = partial(handler, **dependencies)
        self._route(re.escape(self.names.topic(topic)), partial(self._facts, topic, bound))

    def on_data(self, topic: DataTopic, handler: BatchHandler, **dependencies: Any) -> None:
        """Hear a data topic of every model, a batch at a time."""
        bound = partial(handler, **dependencies)
        self._route(self.names.pattern(topic), partial(self._batch, topic, bound))

    def on_assigned(
        self, hook: Callable[[frozenset[Position]], Awaitable[dict[Position, int]]]
    ) -> None:
        """Ask `hook` where to read from whenever partitions are assigned; it may answer for some."""
        self._assigned.append(hook)

    # -- life ---------------------------------------------------------------------------------

    async def start(self) -> None:
        """Join the group and begin to handle."""
        broker = KafkaBroker(
            self.kafka,
            consumer_only=True,
            allow_auto_create_topics=False,
            metadata_max_age_ms=2000,
            logger=None,
            client_id=f"driftwheel-{self.group}",
        )
        subscriber = broker.subscriber(
            pattern="^(" + "|".join(route.pattern for route, _ in self._routes) + ")$",
            batch=True,
            group_id=self.names.group(self.group),
            group_instance_id=self.instance and f"{self.names.group(self.group)}.{self.instance}",
            ack_policy=AckPolicy.MANUAL,
            auto_offset_reset="earliest",
            # Round robin would tear the partitions of joined topics apart.
            partition_assignment_strategy=(RangePartitionAssignor,),
            max_records=self.max_records,
            batch_timeout_ms=50,
            fetch_max_wait_ms=50,
            session_timeout_ms=6000,
            heartbeat_interval_ms=1000,
            max_poll_interval_ms=3_600_000,
            listener=_Rebalance(self),
            parser=_keep_raw,
            decoder=_as_is,
        )
        subscriber(self._listen)
        self._broker = broker
        await broker.start()
        self._resuming = asyncio.create_task(self._resume())

    async def stop(self) -> None:
        """Finish the batch in flight, leave the group."""
        if self._resuming is not None:
            self._resuming.cancel()
        if self._broker is not None:
            async with asyncio.timeout(DRAIN_S), self._lock:
                await self._broker.stop()

    def unready(self) -> str | None:
        """Say why no record can be handled now; None when all is well."""
        if self.halted or self.waiting:
            return self.halted or self.waiting
        return None if self._broker is not None else f"{self.group} has not started"

    # -- one batch ----------------------------------------------------------------------------

    async def process(self, records: Sequence[Record]) -> tuple[dict[Position, int], Told]:
        """Take records to their end: told, acknowledged, effects done.

        Args:
            records: of any topics heard, in log order within each partition.

        Returns:
            The offsets to commit, and what was told.

        """
        started = time.monotonic()
        told = Told()
        with Spans(self.telemetry.service, records) as spans:
            for settle, group in self._by_route(records):
                told.add(await self._settle(settle, group))
            await self._publish(told, spans)
            for effect in told.after:
                await self._patiently(effect)
        self._account(records, told, time.monotonic() - started)
        ends = {position_of(record): record.offset + 1 for record in records}
        return ends | told.held, told

    async def _settle(self, settle: Settle, records: Sequence[Record]) -> Told:
        """Handle a group; where that fails, find the record that is to blame."""
        for attempt in range(1, TRIES + 1):
            try:
                return await self._patiently(partial(settle, records))
            except ValueError as error:
                fault, reason = "poison", error
                break
            except Exception as error:
                fault, reason = "bug", error  # type: ignore[assignment]
                self.telemetry.count("retries", "bug")
                self.telemetry.log.error("attempt %d of %d failed", attempt, TRIES, exc_info=error)
        if len(records) == 1:
            return Told(parked=[Parked(records[0], fault, str(reason) or repr(reason))])  # type: ignore[arg-type]
        told = Told()
        for record in records:
            if record.offset < told.held.get(position_of(record), record.offset + 1):
                told.add(await self._settle(settle, [record]))
        return told

    async def _patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        """Repeat the work until the world lets it succeed, with growing, jittered pauses."""
        pause = 0.05
        try:
            while True:
                try:
                    return await work()
                except self.transient as error:
                    self._wait_for(error)
                    await asyncio.sleep(pause * random.uniform(0.5, 1.5))
                    pause = min(2 * pause, LONGEST_WAIT_S)
        finally:
            self._wait_for(None)

    async def _publish(self, told: Told, spans: Spans) -> None:
        """Publish everything; what can never be published parks the record that caused it."""
        while True:
            letters = [dead_letter(parked) for parked in told.parked]
            messages = [spans.carried(message) for message in told.messages]
            messages += [self._message(event, spans) for event in told.events]
            try:
                await self._patiently(partial(self.publisher.publish, messages + letters))
                return
            except Unpublishable as error:
                self._withdraw(told, error)

    def _withdraw(self, told: Told, error: Unpublishable) -> None:
        record = error.message.cause
        if record is None:
            raise error
        told.messages = [message for message in told.messages if message.cause is not record]
        told.parked.append(Parked(record, "unpublishable", str(error)))

    # -- kinds of handlers --------------------------------------------------------------------

    async def _facts(self, topic: Topic[Any], handler: Handler, records: Sequence[Record]) -> Told:
        told = Told()
        for record in records:
            event = topic.message.model_validate_json(record.value or b"")
            answer = await handler(event)
            told.add(answer if isinstance(answer, Told) else Told(events=list(answer)))
        return told

    async def _batch(
        self, topic: DataTopic, handler: BatchHandler, records: Sequence[Record]
    ) -> Told:
        match = re.fullmatch(self.names.pattern(topic), records[0].topic)
        assert match is not None
        return await handler(Batch(match[1], topic.kind, records))

    def _message(self, event: Any, spans: Spans) -> Message:
        topic = TOPIC_OF[type(event)]
        return spans.carried(
            Message(
                self.names.topic(topic),
                event.model.encode(),
                event.model_dump_json().encode(),
                envelope(event, topic.name, self.telemetry.service),
            )
        )

    # -- the loop -----------------------------------------------------------------------------

    async def _listen(self, message: Any) -> None:
        """Receive one batch from the broker; called strictly one after another."""
        records, consumer = message.raw_message, message.consumer
        async with self._lock:
            while self.halted:
                await asyncio.sleep(1)
            ends, told = await self.process(records)
            await self._commit(consumer, ends)
            for position, offset in told.held.items():
                if position in consumer.assignment():
                    consumer.seek(position, offset)
                    consumer.pause(position)
                    self._held.add(position)
            self._measure(consumer)
        # The framework keeps a reference to the message: let go of the batch at least.
        message.body, message.raw_message = [], records[:1]

    async def _commit(self, consumer: AIOKafkaConsumer, ends: dict[Position, int]) -> None:
        owned = {
            position: end for position, end in ends.items() if position in consumer.assignment()
        }
        try:
            if owned:
                await self._patiently_commit(consumer, owned)
        except (CommitFailedError, IllegalStateError) as error:
            # Fenced by a rebalance: the new owner handles the batch again, under the same ids.
            self.telemetry.log.warning("not committed, another member owns it now: %r", error)

    async def _patiently_commit(
        self, consumer: AIOKafkaConsumer, ends: dict[Position, int]
    ) -> None:
        try:
            await consumer.commit(ends)
        except (CommitFailedError, IllegalStateError):
            raise
        except KafkaError as error:
            # The work is done and safe; the next commit covers this one.
            self.telemetry.log.warning("commit postponed: %r", error)

    async def _resume(self) -> None:
        """Let held partitions try again, a few times a second."""
        while True:
            await asyncio.sleep(HOLD_S)
            if self._held and self._broker is not None and not self._lock.locked():
                for subscriber in self._broker.subscribers:
                    consumer = subscriber.consumer  # type: ignore[attr-defined]
                    consumer.resume(*(self._held & consumer.assignment()))
                self._held.clear()

    # -- book-keeping -------------------------------------------------------------------------

    def _route(self, pattern: str, settle: Settle) -> None:
        self._routes.append((re.compile(pattern), settle))

    def _by_route(self, records: Sequence[Record]) -> list[tuple[Settle, list[Record]]]:
        by_topic: dict[str, list[Record]] = defaultdict(list)
        for record in records:
            by_topic[record.topic].append(record)
        groups = []
        for pattern, settle in self._routes:
            groups += [(settle, by_topic[name]) for name in by_topic if pattern.fullmatch(name)]
        return groups

    def _wait_for(self, error: BaseException | None) -> None:
        reason = (
            None if error is None else f"waiting: {error}" if str(error) else f"waiting: {error!r}"
        )
        if reason and self.waiting is None:
            self.telemetry.log.warning("%s %s", self.group, reason)
        self.waiting = reason
        self.telemetry.gauge("waiting", self.group, reason is not None)
        if reason:
            self.telemetry.count("retries", "transient")

    def _account(self, records: Sequence[Record], told: Told, seconds: float) -> None:
        self.telemetry.count("records_consumed", self.group, len(records))
        self.telemetry.count("records_published", self.group, len(told.messages) + len(told.events))
        self.telemetry.observe("batch_seconds", self.group, seconds)
        for parked in told.parked:
            self.telemetry.count("records_parked", parked.fault)
            self.telemetry.log.warning(
                "parked %s",
                parked.reason[:300],
                extra={
                    "fields": {
                        "topic": parked.record.topic,
                        "partition": parked.record.partition,
                        "offset": parked.record.offset,
                        "fault": parked.fault,
                    }
                },
            )
        in_vain = len(told.parked) == len(records)
        self._parked_in_a_row = self._parked_in_a_row + len(records) if in_vain else 0
        if self._parked_in_a_row >= PARKED_IN_A_ROW:
            self.halted = (
                f"halted: {self._parked_in_a_row} records parked in a row, so the code is wrong, not "
                f"the data; last: {told.parked[-1].reason[:200]}. Fix it and restart {self.group}."
            )
            self.telemetry.log.critical(self.halted)
            self.telemetry.gauge("halted", self.group, 1)

    def _measure(self, consumer: AIOKafkaConsumer) -> None:
        for position in consumer.assignment():
            high = consumer.highwater(position)
            if high is not None:
                read = consumer._subscription.subscription.assignment.state_value(position).position
                self.lag[position] = max(0, high - read)
        self.telemetry.gauge("lag", self.group, sum(self.lag.values()))


class _Rebalance(ConsumerRebalanceListener):
    """Lets the batch in flight finish before partitions go, and positions those that come."""

    def __init__(self, consumer: Consumer) -> None:
        self.owner = consumer
        self.reader: AIOKafkaConsumer | None = None

    async def on_partitions_revoked(self, revoked: Any) -> None:
        """Wait for the batch in flight."""
        try:
            async with asyncio.timeout(DRAIN_S), self.owner._lock:
                self.owner._held.clear()
                self.owner.lag.clear()
        except TimeoutError:
            self.owner.telemetry.log.warning("a batch did not finish before its partitions went")

    async def on_partitions_assigned(self, assigned: Any) -> None:
        """Seek where the service knows better than the committed offset."""
        positions = frozenset(assigned)
        for hook in self.owner._assigned:
            for position, offset in (await self.owner._patiently(partial(hook, positions))).items():
                for subscriber in self.owner._broker.subscribers if self.owner._broker else ():
                    subscriber.consumer.seek(position, offset)  # type: ignore[attr-defined]


async def _keep_raw(records: Sequence[Record], original: Any) -> Any:
    """Parse an empty stand-in, so that no header and no body can break it; keep the records."""
    message = await original((replace(records[0], key=None, value=b"", headers=()),))
    message.raw_message = records
    return message


async def _as_is(message: Any) -> Any:
    return message

"""What happens to records: validate each -> effects -> publish and acknowledge. No broker here."""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from aiokafka.errors import KafkaError

from contracts import DataTopic, Event, Topic
from shared.errors import Transient
from shared.kafka.deadletters import dead_letter
from shared.kafka.message import (
    Batch,
    BatchHandler,
    Fault,
    Handler,
    Message,
    Parked,
    Position,
    Record,
    Run,
    Told,
    runs_of,
)
from shared.kafka.names import Names
from shared.kafka.producer import Publisher, Unpublishable
from shared.kafka.telling import message_of
from shared.kafka.tracing import Spans
from shared.telemetry import Telemetry

TRIES = 3
LONGEST_PAUSE_S = 5.0
PARKED_IN_A_ROW = 1000

T = TypeVar("T")
Settle = Callable[[Sequence[Run]], Awaitable[Told]]


class Abandoned(Exception):
    """The service ends while the world was not ready; nothing of the batch is committed."""


class Handling:
    """Routes records to handlers and takes every one of them to its end.

    ValueError parks a record now, a transient error repeats the work for as long as it takes,
    any other error is tried three times and then parks. When many records in a row were parked,
    the code must be wrong and not the data: `halted` says so and the consumer stops.

    Args:
        telemetry: of the service; its name is also the source of what is told.
        group: names the consumer group in logs and metrics.
        names: real topic names.
        publisher: takes what handlers tell.
        transient: further exceptions that mean "the world, not the message".

    """

    def __init__(
        self,
        telemetry: Telemetry,
        group: str,
        *,
        names: Names,
        publisher: Publisher,
        transient: tuple[type[Exception], ...] = (),
    ) -> None:
        self.telemetry, self.group, self.names, self.publisher = telemetry, group, names, publisher
        self.transient: tuple[type[Exception], ...]
        self.transient = (Transient, ConnectionError, TimeoutError, KafkaError, *transient)
        self.waiting: str | None = None
        self.halted: str | None = None
        self.ending = asyncio.Event()
        self.routes: list[tuple[re.Pattern[str], Settle]] = []
        self._parked_in_a_row = 0

    def on(self, topic: Topic[Any], handler: Handler, **dependencies: Any) -> None:
        """Hear a control-plane topic, one validated event at a time."""
        settle = partial(self._facts, topic, partial(handler, **dependencies))
        self.routes.append((re.compile(re.escape(self.names.topic(topic))), settle))

    def on_data(self, topic: DataTopic, handler: BatchHandler, **dependencies: Any) -> None:
        """Hear a data topic of every model, a batch at a time."""
        pattern = re.compile(self.names.pattern(topic))
        settle = partial(self._batch, topic, pattern, partial(handler, **dependencies))
        self.routes.append((pattern, settle))

    async def process(self, records: Sequence[Record]) -> tuple[dict[Position, int], Told]:
        """Take records to their end: told, acknowledged, effects done.

        Args:
            records: of any topics heard, in log order within each partition.

        Returns:
            The offsets to commit, and what was told.

        Raises:
            Abandoned: the service ends before the world was ready.

        """
        started = time.monotonic()
        told, runs = Told(), runs_of(records)
        with Spans(self.telemetry.service, records) as spans:
            for settle, group in self._by_route(runs):
                told.add(await self._settle(settle, group))
            await self._publish(told, spans)
            for effect in told.after:
                await self.patiently(effect)
        self._account(records, told, time.monotonic() - started)
        return {run.position: run.end for run in runs} | told.held, told

    async def patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        """Repeat the work until the world lets it succeed, with growing, jittered pauses.

        Raises:
            Abandoned: the service ends first.

        """
        pause = 0.05
        try:
            while True:
                try:
                    return await work()
                except self.transient as error:
                    self._wait_for(error)
                    await self._pause(pause * random.uniform(0.5, 1.5))
                    pause = min(2 * pause, LONGEST_PAUSE_S)
        finally:
            self._wait_for(None)

    def halt(self, reason: str) -> None:
        """Handle nothing more until the service is started again; what is read stays unread."""
        self.halted = f"halted: {reason}. Fix it, restart the service."
        self.telemetry.log.critical("%s %s", self.group, self.halted, exc_info=True)
        self.telemetry.gauge("halted", self.group, 1)

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self.ending.wait(), seconds)
        except TimeoutError:
            return
        raise Abandoned(self.waiting or "ending")

    async def _settle(self, settle: Settle, runs: Sequence[Run]) -> Told:
        """Handle a group; where that fails, find the record that is to blame."""
        fault: Fault = "bug"
        reason = ""
        for attempt in range(1, TRIES + 1):
            try:
                return await self.patiently(partial(settle, runs))
            except Abandoned:
                raise
            except ValueError as error:
                fault, reason = "poison", str(error) or repr(error)
                break
            except Exception as error:
                reason = repr(error)
                self.telemetry.count("retries", "bug")
                self.telemetry.log.exception("attempt %d of %d failed", attempt, TRIES)
        alone = [Run(run.position, [record]) for run in runs for record in run.records]
        if len(alone) == 1:
            return Told(parked=[Parked(alone[0].records[0], fault, reason)])
        told = Told()
        for one in alone:
            if one.end <= told.held.get(one.position, one.end):
                told.add(await self._settle(settle, [one]))
        return told

    async def _publish(self, told: Told, spans: Spans) -> None:
        """Publish everything; what can never be published parks the record that caused it."""
        while True:
            messages = [spans.carried(message) for message in told.messages]
            messages += [spans.told(self._message(event)) for event in told.events]
            messages += [dead_letter(parked) for parked in told.parked]
            blocks = [spans.carried_on(block) for block in told.blocks]
            try:
                await self.patiently(partial(self.publisher.publish, messages, blocks))
                return
            except Unpublishable as error:
                record = error.message.cause
                if record is None:
                    raise
                told.messages = [m for m in told.messages if m.cause is not record]
                told.blocks = [block.without(record) for block in told.blocks]
                told.parked.append(Parked(record, "unpublishable", str(error)))

    async def _facts(self, topic: Topic[Any], handler: Handler, runs: Sequence[Run]) -> Told:
        told = Told()
        for record in (record for run in runs for record in run.records):
            answer = await handler(topic.message.model_validate_json(record.value or b""))
            told.add(answer if isinstance(answer, Told) else Told(events=list(answer)))
        return told

    async def _batch(
        self,
        topic: DataTopic,
        pattern: re.Pattern[str],
        handler: BatchHandler,
        runs: Sequence[Run],
    ) -> Told:
        match = pattern.fullmatch(runs[0].position.topic)
        assert match is not None
        return await handler(Batch(match[1], topic.kind, runs))

    def _message(self, event: Event) -> Message:
        return message_of(event, self.names, self.telemetry.service)

    def _by_route(self, runs: Sequence[Run]) -> list[tuple[Settle, list[Run]]]:
        by_topic: dict[str, list[Run]] = defaultdict(list)
        for run in runs:
            by_topic[run.position.topic].append(run)
        return [
            (settle, by_topic[name])
            for pattern, settle in self.routes
            for name in by_topic
            if pattern.fullmatch(name)
        ]

    def _wait_for(self, error: Exception | None) -> None:
        reason = f"waiting: {error!s}" if error is not None else None
        if reason is not None:
            self.telemetry.count("retries", "transient")
            if self.waiting is None:
                self.telemetry.log.warning("%s is %s (%r)", self.group, reason, error)
        self.waiting = reason
        self.telemetry.gauge("waiting", self.group, reason is not None)

    def _account(self, records: Sequence[Record], told: Told, seconds: float) -> None:
        told_in_all = len(told.messages) + sum(map(len, told.blocks)) + len(told.events)
        self.telemetry.count("records_consumed", self.group, len(records))
        self.telemetry.count("records_published", self.group, told_in_all)
        self.telemetry.observe("batch_seconds", self.group, seconds)
        if told.parked:
            self._account_parked(told.parked)
        in_vain = len(told.parked) == len(records)
        self._parked_in_a_row = self._parked_in_a_row + len(records) if in_vain else 0
        if self._parked_in_a_row >= PARKED_IN_A_ROW:
            self.halt(
                f"{self._parked_in_a_row} records parked in a row, so the code is wrong, not the "
                f"data; last: {told.parked[-1].reason[:200]}"
            )

    def _account_parked(self, parked: Sequence[Parked]) -> None:
        for one in parked:
            self.telemetry.count("records_parked", one.fault)
        first = parked[0]
        place = {"topic": first.record.topic, "offset": first.record.offset, "fault": first.fault}
        self.telemetry.log.warning(
            "parked %d, the first: %s", len(parked), first.reason[:300], extra={"fields": place}
        )

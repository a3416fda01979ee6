"""What happens to records: validate each -> effects -> publish and acknowledge. No broker here."""

from __future__ import annotations

import re
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from itertools import chain
from typing import Any

from contracts import DataTopic, Event, Topic
from shared.kafka.deadletters import dead_letter
from shared.kafka.ledger import DEATHS, CrashLedger
from shared.kafka.limit import IN_A_ROW, ParkedLimit
from shared.kafka.message import (
    Batch,
    BatchHandler,
    Fault,
    Handler,
    Message,
    Parked,
    Position,
    Run,
    Told,
)
from shared.kafka.names import Names
from shared.kafka.patience import Abandoned, Patience
from shared.kafka.producer import Publisher, Unpublishable
from shared.kafka.telling import message_of
from shared.kafka.tracing import Spans
from shared.telemetry import Telemetry

TRIES = 3

Offsets = dict[Position, int]
Settle = Callable[[Sequence[Run]], Awaitable[Told]]


class Handling(Patience):
    """Routes records to handlers and takes every one of them to its end.

    ValueError parks a record now, a transient error repeats the work for as long as it takes,
    any other error is tried three times and then parks. So does a record at which the process
    has died, start after start. When too much is parked, the code must be wrong and not the
    data: `halted` says so and the consumer stops.

    Args:
        telemetry: of the service; its name is also the source of what is told.
        group: names the consumer group in logs and metrics.
        names: real topic names.
        publisher: takes what handlers tell.
        transient: further exceptions that mean "the world, not the message".
        ledger: knows at which records the process has died.
        parked_limit: so many parked in a row are too many.

    """

    def __init__(
        self,
        telemetry: Telemetry,
        group: str,
        *,
        names: Names,
        publisher: Publisher,
        transient: tuple[type[Exception], ...] = (),
        ledger: CrashLedger | None = None,
        parked_limit: int = IN_A_ROW,
    ) -> None:
        super().__init__(telemetry, group, transient, ledger or CrashLedger())
        self.names, self.publisher = names, publisher
        self.limit = ParkedLimit(parked_limit)
        self.routes: list[tuple[re.Pattern[str], Settle]] = []

    def on(self, topic: Topic[Any], handler: Handler, **dependencies: Any) -> None:
        """Hear a control-plane topic, one validated event at a time."""
        settle = partial(self._facts, topic, partial(handler, **dependencies))
        self.routes.append((re.compile(re.escape(self.names.topic(topic))), settle))

    def on_data(self, topic: DataTopic, handler: BatchHandler, **dependencies: Any) -> None:
        """Hear a data topic of every model, a batch at a time."""
        pattern = re.compile(self.names.pattern(topic))
        settle = partial(self._batch, topic, pattern, partial(handler, **dependencies))
        self.routes.append((pattern, settle))

    async def process(self, runs: Sequence[Run]) -> AsyncIterator[tuple[Offsets, Offsets]]:
        """Take records to their end: told, acknowledged, effects done.

        Args:
            runs: of any topics heard.

        Yields:
            The offsets to commit, and those of them that are held, to be read again from there.
            Once for all records, unless one of them may have ended the process before.

        Raises:
            Abandoned: the records were let go of before the world was ready.

        """
        held: Offsets = {}
        for parts in self.ledger.steps(self.group, runs):
            step = [run for run in parts if run.position not in held]
            if not step:
                continue
            async with self.ledger.flight(self.group, step):
                told = await self._take(step)
            held |= told.held
            yield {run.position: run.end for run in step} | told.held, told.held

    async def _take(self, runs: Sequence[Run]) -> Told:
        started, told = time.monotonic(), Told()
        records = chain.from_iterable(run.records for run in runs)
        with Spans(self.telemetry.service, records) as spans:
            if self.ledger.doomed(self.group, runs):
                reason = f"the process died over it at {DEATHS} starts in a row"
                told.parked.append(Parked(runs[0].records[0], "crash", reason))
            else:
                for settle, group in self._by_route(runs):
                    told.add(await self._settle(settle, group))
            await self._publish(told, spans)
            for effect in told.after:
                await self.patiently(effect)
        self._account(_settled(runs, told), told, time.monotonic() - started)
        return told

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
        in_vain = True
        for one in alone:
            if one.end > told.held.get(one.position, one.end):
                continue
            if in_vain and self.limit.reached(len(told.parked)):
                told.held[one.position] = one.records[0].offset
                continue
            answer = await self._settle(settle, [one])
            in_vain = in_vain and bool(answer.parked)
            told.add(answer)
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

    def _account(self, records: int, told: Told, seconds: float) -> None:
        told_in_all = len(told.messages) + sum(map(len, told.blocks)) + len(told.events)
        self.telemetry.count("records_consumed", self.group, records)
        self.telemetry.count("records_published", self.group, told_in_all)
        self.telemetry.observe("batch_seconds", self.group, seconds)
        if told.parked:
            self._account_parked(told.parked)
        too_many = self.limit.judge(records, told.parked)
        if too_many and not self.halted:
            self.halt(
                f"{too_many}, so the code is wrong, not the data; "
                f"last: {told.parked[-1].reason[:200] if told.parked else 'none'}"
            )

    def _account_parked(self, parked: Sequence[Parked]) -> None:
        for one in parked:
            self.telemetry.count("records_parked", one.fault)
        first = parked[0]
        place = {"topic": first.record.topic, "offset": first.record.offset, "fault": first.fault}
        self.telemetry.log.warning(
            "parked %d, the first: %s", len(parked), first.reason[:300], extra={"fields": place}
        )


def _settled(runs: Sequence[Run], told: Told) -> int:
    """Count the records that will not be read again."""
    return sum(
        bisect_left(run.records, told.held[run.position], key=lambda record: record.offset)
        if run.position in told.held
        else len(run.records)
        for run in runs
    )

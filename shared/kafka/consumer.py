"""The consumer wrapper: the only way a service may subscribe."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from shared.errors import Transient
from shared.kafka.commits import Commits
from shared.kafka.handling import Handling
from shared.kafka.ledger import CrashLedger
from shared.kafka.limit import IN_A_ROW
from shared.kafka.message import Position, Record, runs_of
from shared.kafka.names import Names
from shared.kafka.patience import Abandoned
from shared.kafka.producer import Publisher
from shared.kafka.progress import Progress
from shared.kafka.rebalance import Positioning, Rebalance
from shared.kafka.subscription import Subscription
from shared.telemetry import Telemetry

HOLD_S = 0.25
LOOK_S = 5.0
POLL_S = 1.0
SLACK_S = 5.0

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
        ledger: of the service, shared by its groups.
        max_records: largest batch.
        linger_s: seconds that few records may wait for more: fewer, larger batches at low rates.
        parked_limit: so many records parked in a row stop the consumer.
        drain_s: a rebalance waits no longer for the batch in flight.
        poll_s: a member whose batch takes longer leaves its group; waits do not count.
        stuck_s: lag without a commit or a declared wait for so long means dead.

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
        ledger: CrashLedger | None = None,
        max_records: int = 1000,
        linger_s: float = 0.0,
        parked_limit: int = IN_A_ROW,
        drain_s: float = 30.0,
        poll_s: float = 300.0,
        stuck_s: float = 60.0,
    ) -> None:
        super().__init__(
            telemetry,
            group,
            names=names,
            publisher=publisher,
            transient=transient,
            ledger=ledger,
            parked_limit=parked_limit,
        )
        self.kafka, self.instance, self.max_records = kafka, instance, max_records
        self.linger_s, self.drain_s, self.poll_s = linger_s, drain_s, poll_s
        self.progress = Progress(telemetry, group, stuck_s)
        self.commits = Commits(telemetry, group)
        self.positioning: list[Positioning] = []
        self.ripe: Ripe = _always
        self.in_flight = asyncio.Lock()
        self.held: set[Position] = set()
        self.unplaced: set[Position] = set()
        self._subscription: Subscription | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def on_assigned(self, hook: Positioning) -> None:
        """Ask `hook` where to read whenever partitions are assigned; it may answer for some."""
        self.positioning.append(hook)

    def on_held(self, ripe: Ripe) -> None:
        """Ask `ripe` whether reading a held partition again would help; else it is left alone."""
        self.ripe = ripe

    async def start(self) -> None:
        """Join the group and begin to handle."""
        self.ending.clear()
        self.let_go.clear()
        self._subscription = Subscription(
            self.kafka,
            self.names.group(self.group),
            "|".join(pattern.pattern for pattern, _ in self.routes),
            self._listen,
            Rebalance(self),
            instance=self.instance,
            max_records=self.max_records,
            linger_s=self.linger_s,
            poll_s=self.poll_s,
            rebalance_s=self.drain_s + SLACK_S,
        )
        await self._subscription.start()
        self._tasks = [asyncio.create_task(self._resume()), asyncio.create_task(self._watch())]

    async def stop(self) -> None:
        """Finish the batch in flight, leave the group."""
        self.end()
        # What a deadline ends from here on has not crashed.
        self.ledger.excuse(self.group)
        for task in self._tasks:
            task.cancel()
        if self._subscription is not None:
            async with asyncio.timeout(self.drain_s):
                await self.in_flight.acquire()
                # What comes now is put back; and who waits for the lock must not wait for us.
                self.in_flight.release()
                await self.commits.settle()
                await self._subscription.stop()

    def unready(self) -> str | None:
        """Say why no record can be handled now; None when all is well."""
        return self.halted or self.waiting or (None if self._tasks else f"{self.group} not started")

    def dead(self) -> str | None:
        """Say why only a new process helps; None while there is progress or a reason for none."""
        for task in self._tasks:
            if task.done() and not self.ending.is_set():
                return f"{self.group}: a task has ended: {task.exception()!r}"
        return None if self.halted or self.waiting else self.progress.stuck()

    @property
    def reader(self) -> AIOKafkaConsumer | None:
        """The client underneath, while there is one."""
        return self._subscription.reader if self._subscription is not None else None

    async def rest(self, seconds: float) -> None:
        """Do nothing for a while, and stay a member of the group.

        Raises:
            Abandoned: the work is to be let go of.

        """
        while seconds > 0:
            await self._poll()
            await super().rest(min(seconds, POLL_S))
            seconds -= POLL_S

    def go_on(self) -> None:
        """Read on: the wait is over."""
        super().go_on()
        self.progress.moved()
        if self.reader is not None:
            self.reader.resume(*(self.reader.assignment() - self.held - self.unplaced))

    async def place(self, offsets: Mapping[Position, int]) -> None:
        """Read on from these offsets; a crash on the way there must begin there again.

        Raises:
            Transient: that is not certain yet.

        """
        assert self.reader is not None
        for position, offset in offsets.items():
            self.reader.seek(position, offset)
        if not await self.commits.certain(self.reader, offsets):
            raise Transient("where to read from is not committed yet")

    async def _poll(self) -> None:
        """Tell the client that we are alive; it answers nothing, for all is paused."""
        # During a rebalance it would not return before the rebalance is over.
        if self.reader is None or self.let_go.is_set() or not self.reader.assignment():
            return
        self.reader.pause(*self.reader.assignment())
        with contextlib.suppress(KafkaError):
            if await self.reader.getmany(timeout_ms=0):
                raise AssertionError("a paused partition was read")

    async def _listen(self, records: Sequence[Record]) -> None:
        """Receive one batch; they come strictly one after another."""
        runs, reader = runs_of(records), self.reader
        assert reader is not None
        async with self.in_flight:
            if self.halted or self.ending.is_set():
                self._go_back({run.position: run.records[0].offset for run in runs})
                return
            self.progress.took(runs)
            try:
                async for ends, held in self.process(runs):
                    done = partial(self.progress.committed, ends, runs)
                    await self.commits.begin(reader, ends, done)
                    self.held |= self._go_back(held)
            except Abandoned as error:
                self.telemetry.log.warning("let go of a batch: %s", error)
            except Exception as error:
                # The framework would go on, and the next commit would cover this batch.
                self.halt(f"{error!r} escaped the handling of a batch")

    def _go_back(self, offsets: Mapping[Position, int]) -> set[Position]:
        """Read no further for now, and then from these offsets on; returns what is still ours."""
        assert self.reader is not None
        ours: set[Position] = offsets.keys() & self.reader.assignment()
        for position in ours:
            self.reader.seek(position, offsets[position])
            self.reader.pause(position)
        return ours

    async def _resume(self) -> None:
        """Let held partitions try again, a few times a second."""
        while True:
            await asyncio.sleep(HOLD_S)
            ripe = {position for position in tuple(self.held) if await self._is_ripe(position)}
            if not ripe:
                continue
            async with self.in_flight:
                assert self.reader is not None
                self.reader.resume(*(ripe & self.held & self.reader.assignment()))
                self.held -= ripe

    async def _is_ripe(self, position: Position) -> bool:
        try:
            return await self.ripe(position)
        except self.transient:
            # The handler that reads it again knows how to wait, and says so.
            return True

    async def _watch(self) -> None:
        """Measure progress, also while nothing is handled."""
        while True:
            await asyncio.sleep(LOOK_S)
            if self.halted or self.waiting:
                self.progress.moved()
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._look()
            except (KafkaError, TimeoutError):
                # Kafka is away, or the group is on the move: no reason to die.
                self.progress.moved()

    async def _look(self) -> None:
        reader, progress = self.reader, self.progress
        assert reader is not None
        for position in progress.positions - progress.done.keys():
            progress.done.setdefault(position, await reader.position(position))
        ends = await reader.end_offsets(list(progress.positions))
        progress.look(ends, self.held | self.unplaced)


async def _always(_: Position) -> bool:
    return True

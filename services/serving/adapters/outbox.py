"""Predictions asked for over HTTP and gRPC on their way to Kafka."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, defaultdict
from collections.abc import Sequence

import msgspec

from contracts.data import PREDICTIONS
from services.serving.domain.inferred import Author, Inferred, records
from shared.errors import Transient
from shared.kafka import Block, Headers, Names, Publisher
from shared.kafka.producer import Unpublishable
from shared.telemetry import Telemetry

LINGER_S = 0.1
AT_ONCE = 500
LONGEST_PAUSE_S = 2.0
STOP_S = 10.0


class Waiting(msgspec.Struct, frozen=True):
    """The predictions of a request, and who waits until Kafka has them, if anybody does."""

    inferred: Inferred
    acknowledged: asyncio.Future[None] | None = None

    def settle(self, error: Exception | None = None) -> None:
        """Tell who waits."""
        if self.acknowledged is None or self.acknowledged.done():
            return
        if error is None:
            self.acknowledged.set_result(None)
        else:
            self.acknowledged.set_exception(error)


class KafkaOutbox:
    """A bounded queue in memory, published in batches; a crash loses what is in it.

    Args:
        telemetry: of the service.
        names: real topic names.
        publisher: takes the batches.
        capacity: rows that may wait.
        ack_s: how long `keep` waits.

    """

    def __init__(
        self,
        telemetry: Telemetry,
        names: Names,
        publisher: Publisher,
        capacity: int,
        ack_s: float,
    ) -> None:
        self.telemetry, self.names, self.publisher = telemetry, names, publisher
        self.capacity, self.ack_s = capacity, ack_s
        self._queue: list[Waiting] = []
        self._rows = 0
        self._trouble: str | None = None
        self._ending = False
        self._there, self._urgent = asyncio.Event(), asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    def put(self, inferred: Inferred) -> None:
        """Take the predictions of a request."""
        self._take(Waiting(inferred))

    async def keep(self, inferred: Inferred) -> None:
        """Take the predictions of a request and wait until Kafka has them."""
        acknowledged = asyncio.get_running_loop().create_future()
        self._take(Waiting(inferred, acknowledged))
        self._urgent.set()
        try:
            await asyncio.wait_for(acknowledged, self.ack_s)
        except TimeoutError as error:
            raise Transient(
                "Kafka has not acknowledged: send it again under the same id"
            ) from error

    async def start(self) -> None:
        """Begin to publish."""
        self._ending = False
        self._running = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Publish what is waiting, then end."""
        running, self._running = self._running, None
        self._ending = True
        self._there.set()
        self._urgent.set()
        if running is not None:
            await asyncio.wait([running], timeout=STOP_S)
            running.cancel()
        if self._rows:
            self.telemetry.log.error("%d predictions are lost: %s", self._rows, self._trouble)

    def unready(self) -> str | None:
        """Say why nothing more is taken; None while there is room."""
        if self._running is None:
            return "predictions over HTTP are not published yet"
        if self._running.done():
            return f"no longer publishing: {self._running.exception()!r}"
        return self._trouble if self._rows >= self.capacity else None

    def _take(self, waiting: Waiting) -> None:
        rows = self._rows + len(waiting.inferred.rows)
        if rows > self.capacity and self._rows:
            raise Transient(f"{self._rows} predictions wait for Kafka: {self._trouble or 'slow'}")
        self._rows = rows
        self._queue.append(waiting)
        self._there.set()

    async def _run(self) -> None:
        while not self._ending or self._queue:
            await self._there.wait()
            if len(self._queue) < AT_ONCE:
                await self._linger()
            if self._queue:
                await self._publish(self._queue[:AT_ONCE])
            if not self._queue and not self._ending:
                self._there.clear()

    async def _linger(self) -> None:
        """Let predictions gather, for a batch costs more than what is in it; unless one waits."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._urgent.wait(), LINGER_S)
        if not self._ending:
            self._urgent.clear()

    async def _publish(self, batch: list[Waiting]) -> None:
        """Publish the head of the queue, as often as it takes; what is too large goes alone."""
        pause = 0.1
        while True:
            try:
                await self.publisher.publish((), self._blocks(batch))
                break
            except Transient as error:
                self._trouble = str(error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_S)
            except Unpublishable as error:
                if len(batch) > 1:
                    return await self._publish(batch[:1])
                self._refuse(batch[0], error)
                break
        self._settle(batch)
        return None

    def _settle(self, batch: Sequence[Waiting]) -> None:
        self._trouble = None
        del self._queue[: len(batch)]
        rows = Counter[str]()
        for waiting in batch:
            rows[waiting.inferred.author.model] += len(waiting.inferred.rows)
            waiting.settle()
        self._rows -= rows.total()
        for model, number in rows.items():
            self.telemetry.count("predictions", model, number)

    def _refuse(self, waiting: Waiting, error: Unpublishable) -> None:
        self.telemetry.count("records_parked", "unpublishable")
        self.telemetry.log.error("the predictions of %r are lost: %s", waiting.inferred.id, error)
        waiting.settle(error)

    def _blocks(self, batch: Sequence[Waiting]) -> list[Block]:
        """Write the predictions, one block per author."""
        groups: dict[Author, list[Inferred]] = defaultdict(list)
        for waiting in batch:
            groups[waiting.inferred.author].append(waiting.inferred)
        return [self._block(group) for group in groups.values()]

    def _block(self, group: Sequence[Inferred]) -> Block:
        author, written = group[0].author, records(group)
        topic = self.names.data(PREDICTIONS, author.model)
        headers = Headers(author.writer.fixed, written.attributes)
        headers = headers.but({row: [*headers[row], *own] for row, own in written.further.items()})
        causes = [None] * len(written.keys)
        return Block(topic, None, written.keys, written.values, headers, causes)

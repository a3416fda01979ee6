"""predictions -> predictions.counted and the model's watermark: the group at the head."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import msgspec

from contracts.base import Window
from contracts.data import PREDICTIONS
from contracts.performance import PredictionsCounted, VersionCounts
from services.monitor.domain.heads import HeadCounts, Heads
from services.monitor.domain.watermarks import NEVER, Heard, model_watermark
from services.monitor.handlers.cells import predictions
from services.monitor.handlers.payloads import Payloads, moment
from services.monitor.handlers.placing import Placing
from services.monitor.handlers.reading import Integers, read
from services.monitor.handlers.rebuilding import rebuilt
from services.monitor.handlers.watching import Watches
from services.monitor.ports import Counted, Head
from shared.clock import Clock
from shared.kafka import Batch, Position, Told
from shared.kafka.message import Run


class Counting:
    """Counts predictions as soon as they are read, and tells windows when they are over.

    Args:
        placing: knows store, log, names, declarations, and which partitions are ours.
        watches: know the cells of each version.
        clock: wall time, for idle partitions.
        idle_s: wall seconds after which a silent partition holds up no watermark.
        group: the consumer group that counts.

    """

    def __init__(
        self,
        *,
        placing: Placing,
        watches: Watches,
        clock: Clock,
        idle_s: float,
        group: str,
    ) -> None:
        self.placing, self.watches = placing, watches
        self.store, self.log, self.catalog = placing.store, placing.log, placing.catalog
        self.clock, self.idle_s, self.group = clock, idle_s, placing.names.group(group)

    async def head(self, payloads: Payloads, run: Run, known: Head | None) -> Head:
        """Take what is known of a partition, or start it anew where the store cannot follow."""
        if known is not None and known.offset >= run.records[0].offset:
            return known
        beginning = (await self.log.bounds([run.position]))[run.position][0]
        if known is not None and known.offset >= beginning:
            return known
        head = await rebuilt(payloads, run.position, self.log, self.group)
        await self.store.place_head(payloads.model, run.position.partition, head)
        return head

    async def over(self, payloads: Payloads, partition: int, heads: Heads, passed: int) -> Told:
        """Tell the windows of a partition that end by `passed`, microseconds."""
        done = heads.over(passed, payloads.window) if passed > NEVER // 2 else []
        if not done:
            return Told()
        partitions = await self.log.partitions(self._position(payloads.model, partition).topic)
        told = {start: counts.through for start, counts in done}
        return Told(
            events=[counted(payloads, partition, partitions, *window) for window in done],
            after=[partial(self._tell, payloads, partition, told)],
        )

    async def advance(self, model: str, times: Mapping[int, Integers]) -> None:
        """Raise the event times of partitions, and with them the model's watermark."""
        now = self.clock().timestamp()
        known, held = await self.store.heard(model)
        fresh = {
            partition: Heard(int(heard.max()), now)
            for partition, heard in times.items()
            if len(heard) and (partition not in known or heard.max() > known[partition].time)
        }
        watermark = model_watermark(known | fresh, held=held, now=now, idle_s=self.idle_s)
        await self.store.advance(model, fresh, watermark)

    async def sweep(self) -> Told:
        """Tell the windows of partitions that say nothing themselves: idle or empty ones.

        One that goes on later with predictions of their time has them told again, with a higher
        `through`.
        """
        told = Told()
        for model in sorted({model for model, _ in self.placing.owned}):
            payloads = self.catalog.payloads(model)
            heard, held = await self.store.heard(model)
            now = self.clock().timestamp()
            watermark = model_watermark(heard, held=held, now=now, idle_s=self.idle_s)
            if payloads is None or watermark == NEVER:
                continue
            partitions = sorted(p for owned, p in self.placing.owned if owned == model)
            known = await self.store.heads(model, partitions)
            for partition, head in zip(partitions, known, strict=True):
                told.add(await self._idle(payloads, partition, head, watermark))
        return told

    async def _idle(
        self, payloads: Payloads, partition: int, head: Head | None, watermark: int
    ) -> Told:
        position = self._position(payloads.model, partition)
        beginning, end = (await self.log.bounds([position]))[position]
        if end > (head.offset if head else beginning):
            return Told()  # It is not at its end, and will tell by itself.
        if head is None:
            head = Head(end, msgspec.msgpack.encode(Heads()))
            await self.store.place_head(payloads.model, partition, head)
        heads = unpacked(head)
        return await self.over(payloads, partition, heads, watermark - payloads.lateness)

    async def _tell(self, payloads: Payloads, partition: int, told: Mapping[int, int]) -> None:
        (head,) = await self.store.heads(payloads.model, [partition])
        if head is None:
            return
        heads = unpacked(head)
        heads.tell(told, heads.newest - payloads.lateness, payloads.window)
        # Where another owner has counted on meanwhile, that one tells the windows again.
        new = Counted(partition, head.offset, head.offset, msgspec.msgpack.encode(heads))
        await self.store.count_heads(payloads.model, [new])

    def _position(self, model: str, partition: int) -> Position:
        return Position(self.placing.names.data(PREDICTIONS, model), partition)


async def count_predictions(batch: Batch, *, counting: Counting) -> Told:
    """Predictions -> counted; windows that are over -> told."""
    payloads = counting.catalog.payloads(batch.model)
    if payloads is None:
        return Told(held=batch.starts())
    told, told_by, counts = Told(), dict[int, Told](), list[Counted]()
    known = await counting.store.heads(batch.model, [run.position.partition for run in batch.runs])
    # What cannot be read is parked by the join; here it only has no time.
    found = [read(run.records, payloads.heading) for run in batch.runs]
    for run, rows, stored in zip(batch.runs, found, known, strict=True):
        partition, first = run.position.partition, run.records[0].offset
        head = await counting.head(payloads, run, stored)
        if head.offset < first:
            told.held[run.position] = head.offset
            continue
        heads = unpacked(head)
        fresh = rows.since(head.offset)
        if fresh.rows:
            seen = await predictions(payloads, fresh, counting.watches)
            heads.count(seen, payloads.window, payloads.lateness)
        end, packed = max(head.offset, run.end), msgspec.msgpack.encode(heads)
        counts.append(Counted(partition, head.offset, end, packed))
        passed = heads.newest - payloads.lateness
        told_by[partition] = await counting.over(payloads, partition, heads, passed)
    done = await counting.store.count_heads(batch.model, counts)
    for count, ours in zip(counts, done, strict=True):
        if ours:
            told.add(told_by[count.partition])
    starts = {at.partition: (at, offset) for at, offset in batch.starts().items()}
    told.held |= dict(starts[c.partition] for c, ours in zip(counts, done, strict=True) if not ours)
    times = {
        run.position.partition: rows.times for run, rows in zip(batch.runs, found, strict=True)
    }
    await counting.advance(batch.model, times)
    return told


def unpacked(head: Head) -> Heads:
    """Read the store's windows at the head of a partition."""
    return msgspec.msgpack.decode(head.windows, type=Heads)


def counted(
    payloads: Payloads, partition: int, partitions: int, start: int, counts: HeadCounts
) -> PredictionsCounted:
    """Write one partition's part of a window."""
    end = start + payloads.window
    return PredictionsCounted.caused_by(
        f"window:{payloads.model}:{partition}:{moment(start).isoformat()}:{counts.through}",
        model=payloads.model,
        at=moment(end + payloads.lateness),
        window=Window(start=moment(start), end=moment(end)),
        partition=partition,
        partitions=partitions,
        through=counts.through,
        versions=tuple(
            VersionCounts(
                version=version,
                baseline=one.baseline,
                n=one.n,
                late=one.late,
                counts=tuple(one.vector.tolist()),
            )
            for version, one in sorted(counts.versions.items())
        ),
    )

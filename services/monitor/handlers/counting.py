"""predictions -> predictions.counted and the model's watermark: the group at the head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from contracts.data import PREDICTIONS
from services.monitor.domain.copies import REACH, SIZE, Recent, packed
from services.monitor.domain.heads import Heads
from services.monitor.domain.watermarks import NEVER, Heard, model_watermark
from services.monitor.handlers import heads as messages
from services.monitor.handlers.cells import predictions
from services.monitor.handlers.payloads import Payloads
from services.monitor.handlers.placing import Placing
from services.monitor.handlers.reading import Read, read
from services.monitor.handlers.rebuilding import rebuilt
from services.monitor.handlers.watching import Watches
from services.monitor.ports import Counted, Head
from shared.clock import Clock
from shared.kafka import Batch, Position, Told
from shared.kafka.message import Run


@dataclass(frozen=True, slots=True)
class Part:
    """What counting one partition's records has led to, to be stored and then told."""

    run: Run
    recent: Recent
    counted: Counted
    told: Told

    def note(self) -> None:
        """Remember the ids: their predictions are counted."""
        self.recent.note(self.counted.ids, self.counted.end)


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
        self._recent: dict[Position, Recent] = {}

    async def part(
        self, payloads: Payloads, run: Run, rows: Read, known: Head | None
    ) -> Part | int:
        """Count one partition's records on top of what is known of it.

        Returns:
            The offset from which the partition must be read first, where that is not this one.

        """
        head = await self._head(payloads, run, known)
        if head.offset < run.records[0].offset:
            return head.offset
        partition, end = run.position.partition, max(head.offset, run.end)
        recent = await self._before(payloads, run.position, head.offset)
        fresh, heads = rows.since(head.offset), messages.unpacked(head)
        ids = packed(fresh.ids, fresh.offsets, head.offset, end)
        once = fresh.without(recent.copies(ids, head.offset))
        if once.rows:
            seen = await predictions(payloads, once, self.watches)
            heads.count(seen, payloads.window, payloads.lateness)
        counted = Counted(partition, head.offset, end, messages.packed(heads), ids)
        told = await self._over(payloads, partition, heads, heads.newest - payloads.lateness)
        return Part(run, recent, counted, told)

    async def advance(self, model: str, found: Mapping[int, Read]) -> None:
        """Raise the event times of partitions, and with them the model's watermark."""
        now = self.clock().timestamp()
        known, held = await self.store.heard(model)
        latest = {partition: int(read.times.max()) for partition, read in found.items() if read}
        fresh = {
            partition: Heard(time, now)
            for partition, time in latest.items()
            if partition not in known or time > known[partition].time
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

    async def _head(self, payloads: Payloads, run: Run, known: Head | None) -> Head:
        """Take what is known of a partition, or start it anew where the store cannot follow."""
        if known is not None and known.offset >= run.records[0].offset:
            return known
        if known is not None and known.offset >= await self._beginning(run.position):
            return known
        head = await rebuilt(payloads, run.position, self.log, self.group)
        await self.store.place_head(payloads.model, run.position.partition, head)
        return head

    async def _before(self, payloads: Payloads, position: Position, end: int) -> Recent:
        """Find the ids of the last offsets before `end`, up to which all is counted."""
        recent = self._recent.get(position)
        if recent is None or recent.end != end:
            recent = self._recent[position] = Recent()
            first = max(end - REACH, await self._beginning(position))
            ids = await self.store.recent(payloads.model, position.partition)
            if len(ids) < SIZE * (end - first):
                records = await self.log.records(position, range(first, end))
                rows = read([records[at] for at in sorted(records)], payloads.heading)
                ids = packed(rows.ids, rows.offsets, first, end)
            recent.note(ids, end)
        return recent

    async def _idle(
        self, payloads: Payloads, partition: int, head: Head | None, watermark: int
    ) -> Told:
        position = self._position(payloads.model, partition)
        beginning, end = (await self.log.bounds([position]))[position]
        if end > (head.offset if head else beginning):
            return Told()  # It is not at its end, and will tell by itself.
        if head is None:
            head = Head(end, messages.packed(Heads()))
            await self.store.place_head(payloads.model, partition, head)
        heads = messages.unpacked(head)
        return await self._over(payloads, partition, heads, watermark - payloads.lateness)

    async def _over(self, payloads: Payloads, partition: int, heads: Heads, passed: int) -> Told:
        """Tell the windows of a partition that end by `passed`, microseconds."""
        done = heads.over(passed, payloads.window) if passed > NEVER // 2 else []
        if not done:
            return Told()
        partitions = await self.log.partitions(self._position(payloads.model, partition).topic)
        told = {start: counts.through for start, counts in done}
        return Told(
            events=[messages.counted(payloads, partition, partitions, *one) for one in done],
            after=[partial(self._tell, payloads, partition, told)],
        )

    async def _tell(self, payloads: Payloads, partition: int, told: Mapping[int, int]) -> None:
        (head,) = await self.store.heads(payloads.model, [partition])
        if head is None:
            return
        heads = messages.unpacked(head)
        heads.tell(told, heads.newest - payloads.lateness, payloads.window)
        # Where another owner has counted on meanwhile, that one tells the windows again.
        new = Counted(partition, head.offset, head.offset, messages.packed(heads))
        await self.store.count_heads(payloads.model, [new])

    async def _beginning(self, position: Position) -> int:
        return (await self.log.bounds([position]))[position][0]

    def _position(self, model: str, partition: int) -> Position:
        return Position(self.placing.names.data(PREDICTIONS, model), partition)


async def count_predictions(batch: Batch, *, counting: Counting) -> Told:
    """Predictions -> counted; windows that are over -> told."""
    payloads = counting.catalog.payloads(batch.model)
    if payloads is None:
        return Told(held=batch.starts())
    # What cannot be read is parked by the join; here it only has no time.
    found = {run.position.partition: read(run.records, payloads.heading) for run in batch.runs}
    versions = (row.version for rows in found.values() for row in rows.rows)
    if await counting.watches.lack(batch.model, versions):
        return Told(held=batch.starts())
    told, parts = Told(), list[Part]()
    known = await counting.store.heads(batch.model, [run.position.partition for run in batch.runs])
    for run, head in zip(batch.runs, known, strict=True):
        part = await counting.part(payloads, run, found[run.position.partition], head)
        if isinstance(part, int):
            told.held[run.position] = part
        else:
            parts.append(part)
    done = await counting.store.count_heads(batch.model, [part.counted for part in parts])
    for part, ours in zip(parts, done, strict=True):
        if ours:
            part.note()
            told.add(part.told)
        else:
            told.held[part.run.position] = part.run.records[0].offset
    await counting.advance(batch.model, found)
    return told

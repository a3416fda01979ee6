"""labels.validated, predictions -> outcomes: the trailing group that joins the two.

Labels are kept in the store. Predictions are read a second time, when their labels have had time
to come. The store marks a prediction as joined before its outcome is published: a label that comes
in between then knows that it is a correction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.monitor.domain.labels import packed_labels
from services.monitor.domain.watermarks import LabelClock
from services.monitor.handlers.closing import Closing, Waiting
from services.monitor.handlers.payloads import Payloads
from services.monitor.handlers.placing import Placing
from services.monitor.handlers.reading import Read, read, read_due
from services.monitor.handlers.settling import Settling
from services.monitor.ports import Arrived, Due
from shared.kafka import Batch, Position, Told
from shared.kafka.message import Run
from shared.telemetry import Telemetry


class Join:
    """What both halves of the join know.

    Args:
        telemetry: of the service.
        placing: where to read from.
        closing: tells windows.
        patience_s: wall seconds that labels have to come after the predictions of their time.

    """

    def __init__(
        self, *, telemetry: Telemetry, placing: Placing, closing: Closing, patience_s: float
    ) -> None:
        self.telemetry, self.placing, self.closing = telemetry, placing, closing
        self.catalog, self.store, self.log = placing.catalog, placing.store, placing.log
        self.patience_s = patience_s
        self.clocks: dict[tuple[str, int], LabelClock] = {}

    async def assigned(self, positions: frozenset[Position]) -> dict[Position, int]:
        """Take over partitions; say where to read them from."""
        self.clocks.clear()
        self.closing.waiting.clear()
        return await self.placing.assigned(positions)

    async def ripe(self, position: Position) -> bool:
        """Tell whether the watermarks have come far enough for a held partition to go on."""
        cursor = self.closing.waiting.get(position)
        payloads = self.catalog.payloads(cursor.model) if cursor else None
        if cursor is None or payloads is None:
            return True
        due, watermark = cursor.time + payloads.span, self.closing.reached[cursor.model]
        if watermark < due:
            return False
        clock = self.clock(cursor.model, position.partition)
        if clock.watermark < due and clock.curious(self.closing.clock().timestamp()):
            # The handler finds out what to do where the store has lost the partition.
            return not await self.follow_labels(cursor.model, position.partition, watermark)
        return clock.watermark >= due

    async def replaced(self, payloads: Payloads, partition: int) -> dict[Position, int]:
        """Go back to where the store can follow; it has lost something."""
        model = payloads.model
        self.telemetry.log.warning("reading partition %d of %s again", partition, model)
        self.clocks.pop((model, partition), None)
        self.closing.waiting.pop(self.placing.positions(model, partition)[0], None)
        return await self.placing.seeks(payloads, partition)

    def clock(self, model: str, partition: int) -> LabelClock:
        """Find the watermark of a partition's labels."""
        return self.clocks.setdefault((model, partition), LabelClock(self.patience_s))

    async def follow_labels(self, model: str, partition: int, watermark: int) -> bool:
        """Let the labels' watermark follow the model's where no label is left to read.

        Returns:
            False where the store has lost the partition.

        """
        _, labels = self.placing.positions(model, partition)
        end = (await self.log.bounds([labels]))[labels][1]
        places = await self.store.places(model, partition)
        if places is not None and places.labels >= end:
            self.clock(model, partition).quiet(watermark, self.closing.clock().timestamp())
        return places is not None

    def cursor(self, payloads: Payloads, run: Run, watermark: int) -> Cursor:
        """Read the predictions of a partition that are due."""
        labelled = self.clock(payloads.model, run.position.partition).watermark
        limit = min(watermark, labelled) - payloads.span
        return Cursor(run, *read_due(run.records, payloads.prediction, limit))

    async def standing(
        self, payloads: Payloads, cursors: Sequence[Cursor], watermark: int
    ) -> tuple[Told, list[Cursor]]:
        """Note where cursors wait; tell what is not joined, and choose those that are."""
        told, going = Told(), list[Cursor]()
        for cursor in cursors:
            if not await self.stands(cursor, payloads, watermark):
                told.held |= await self.replaced(payloads, cursor.run.position.partition)
                continue
            told.parked += cursor.ready.parked
            told.held |= cursor.held
            if cursor.end > cursor.first:
                going.append(cursor)
        return told, going

    async def stands(self, cursor: Cursor, payloads: Payloads, watermark: int) -> bool:
        """Note where a cursor waits, and for what.

        Returns:
            False where the store has lost the partition.

        """
        position, time = cursor.run.position, cursor.waiting
        if time is None:
            self.closing.waiting.pop(position, None)
            return True
        self.closing.waiting[position] = Waiting(payloads.model, cursor.end, time)
        if time + payloads.span > watermark:
            return True
        return await self.follow_labels(payloads.model, position.partition, watermark)


async def keep_labels(batch: Batch, *, join: Join) -> Told:
    """Labels -> kept; outcomes anew where they were told already."""
    payloads = join.catalog.payloads(batch.model)
    if payloads is None:
        return Told(held=batch.starts())
    labels = [read(run.records, payloads.label) for run in batch.runs]
    values = [payloads.numbers([row.value for row in found.rows]) for found in labels]
    arrived = [
        Arrived(
            run.position.partition,
            run.records[0].offset,
            run.end,
            found.keys(),
            packed_labels(found.times, numbers, found.offsets),
        )
        for run, found, numbers in zip(batch.runs, labels, values, strict=True)
    ]

    answers = await join.store.keep(batch.model, arrived)

    settling = Settling(payloads, join.closing)
    told = Told(parked=[one for found in labels for one in found.parked])
    for part, found, numbers, answer in zip(arrived, labels, values, answers, strict=True):
        if answer is None:
            told.held |= await join.replaced(payloads, part.partition)
            continue
        if len(found.times):
            join.clock(batch.model, part.partition).heard(int(found.times.max()))
        told.blocks += await settling.corrections(found, numbers, answer)
    return told


async def publish_outcomes(batch: Batch, *, join: Join) -> Told:
    """Predictions -> outcomes, one label horizon later."""
    payloads = join.catalog.payloads(batch.model)
    if payloads is None:
        return Told(held=batch.starts())
    watermark = await join.closing.watermark(batch.model)
    found = [join.cursor(payloads, run, watermark) for run in batch.runs]
    versions = (row.version for cursor in found for row in cursor.ready.rows)
    # What is claimed must be told soon: later labels count as corrections of it.
    if await join.closing.watches.lack(batch.model, versions):
        return Told(held=batch.starts())
    told, cursors = await join.standing(payloads, found, watermark)

    claimed = await join.store.claim(batch.model, [cursor.due(payloads) for cursor in cursors])

    settling = Settling(payloads, join.closing)
    for cursor, claim in zip(cursors, claimed, strict=True):
        position = cursor.run.position
        if claim is None:
            told.held |= await join.replaced(payloads, position.partition)
            continue
        done = await settling.outcomes(cursor.ready, cursor.end, claim, position)
        if done is None:
            told.held[position] = cursor.first
        else:
            told.add(done)
    return told


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a batch takes one partition.

    Attributes:
        ready: predictions that are due.
        end: offset after the last record that is done with.
        waiting: event time of the prediction there that must wait, microseconds.

    """

    run: Run
    ready: Read
    end: int
    waiting: int | None

    @property
    def first(self) -> int:
        """Offset of the first record."""
        return self.run.records[0].offset

    @property
    def held(self) -> dict[Position, int]:
        """Where to read again, if something must wait."""
        return {} if self.waiting is None else {self.run.position: self.end}

    def due(self, payloads: Payloads) -> Due:
        """Ask the store for the labels."""
        times, offsets = self.ready.times, self.ready.offsets.astype(">i8").tobytes()
        given_up = (int(times[-1]) if len(times) else 0) - payloads.span
        partition = self.run.position.partition
        ready = self.ready.keys()
        return Due(partition, self.first, ready, offsets, given_up, payloads.grace_s)

"""labels.validated, predictions -> outcomes: the trailing group that joins the two.

Labels are kept in the store. Predictions are read a second time, when their labels have had time
to come. The store marks a prediction as joined before its outcome is published: a label that comes
in between then knows that it is a correction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from contracts.data import OUTCOMES
from services.monitor.domain.labels import Label, Remembered
from services.monitor.domain.tallies import Measured, Windows
from services.monitor.domain.watermarks import LabelClock, matured
from services.monitor.handlers.closing import Closing, unpacked
from services.monitor.handlers.outcomes import (
    Joined,
    Read,
    message,
    outcomes,
    read_labels,
    read_predictions,
)
from services.monitor.handlers.payloads import Payloads, key_of, microseconds
from services.monitor.handlers.placing import Placing
from services.monitor.ports import Arrived, Claimed, Counted, Due
from shared.kafka import Batch, Message, Position, Record, Told
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
        self.ripe_at: dict[Position, tuple[str, int]] = {}

    async def assigned(self, positions: frozenset[Position]) -> dict[Position, int]:
        """Take over partitions; say where to read them from."""
        self.clocks.clear()
        return await self.placing.assigned(positions)

    async def ripe(self, position: Position) -> bool:
        """Tell whether the watermark has come far enough for a held partition to go on."""
        model, time = self.ripe_at.get(position, ("", 0))
        return not model or await self.closing.watermark(model) >= time

    async def replaced(self, model: str, partition: int) -> dict[Position, int]:
        """Go back to where the store can follow; it has lost something."""
        self.telemetry.log.warning("reading partition %d of %s again", partition, model)
        self.clocks.pop((model, partition), None)
        return await self.placing.seeks(model, partition)

    def clock(self, model: str, partition: int) -> LabelClock:
        """Find the watermark of a partition's labels."""
        return self.clocks.setdefault((model, partition), LabelClock(self.patience_s))

    async def ask_for_labels(
        self, model: str, partition: int, watermark: int
    ) -> dict[Position, int]:
        """Let the labels' watermark follow the model's where no label is left to read.

        Returns:
            Where to read again, if the store has lost the partition.

        """
        _, labels = self.placing.positions(model, partition)
        end = (await self.log.bounds([labels]))[labels][1]
        places = await self.store.places(model, partition)
        if places is None:
            return await self.replaced(model, partition)
        if places.labels >= end:
            self.clock(model, partition).quiet(watermark, self.closing.clock().timestamp())
        return {}


async def keep_labels(batch: Batch, *, join: Join) -> Told:
    """Labels -> kept; outcomes anew where they were told already."""
    payloads = join.catalog.payloads(batch.model)
    if payloads is None:
        return held(batch)
    told, groups = Told(), by_partition(batch)
    read = [list(read_labels(records, payloads, told)) for records in groups.values()]
    arrived = [
        Arrived(
            partition,
            records[0].offset,
            records[-1].offset + 1,
            [(key_of(event_id), label.packed()) for _, event_id, label in labels],
        )
        for (partition, records), labels in zip(groups.items(), read, strict=True)
    ]

    answers = await join.store.keep(batch.model, arrived)

    for part, labels, answer in zip(arrived, read, answers, strict=True):
        if answer is None:
            told.held |= await join.replaced(batch.model, part.partition)
            continue
        clock = join.clock(batch.model, part.partition)
        for (record, _, label), remembered in zip(labels, answer, strict=True):
            clock.heard(label.time)
            if remembered:
                found = Remembered.unpacked(remembered)
                told.messages += await _correction(record, label, found, payloads, join)
    return told


async def publish_outcomes(batch: Batch, *, join: Join) -> Told:
    """Predictions -> outcomes, one label horizon later."""
    payloads = join.catalog.payloads(batch.model)
    if payloads is None:
        return held(batch)
    told = Told()
    watermark = await join.closing.watermark(batch.model)
    cursors: list[Cursor] = []
    for partition, records in by_partition(batch).items():
        labelled = join.clock(batch.model, partition).watermark
        limit = min(watermark, labelled) - payloads.span
        read = read_predictions(records, payloads, told)
        due, waiting = matured(read, limit, lambda prediction: prediction.time)
        cursor = Cursor(partition, records, due, waiting)
        told.held |= cursor.held
        join.ripe_at |= cursor.ripe_at(payloads)
        if waiting is not None and waiting.time <= watermark - payloads.span:
            told.held |= await join.ask_for_labels(batch.model, partition, watermark)
        if cursor.end > cursor.first:
            cursors.append(cursor)

    claimed = await join.store.claim(batch.model, [cursor.due(payloads) for cursor in cursors])

    for cursor, claim in zip(cursors, claimed, strict=True):
        told.add(await _settle(cursor, claim, payloads, join))
    return told


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a batch takes one partition."""

    partition: int
    records: Sequence[Record]
    ready: Sequence[Read]
    waiting: Read | None

    @property
    def first(self) -> int:
        """Offset of the first record."""
        return self.records[0].offset

    @property
    def end(self) -> int:
        """Offset after the last record that is done with."""
        return self.waiting.record.offset if self.waiting else self.records[-1].offset + 1

    @property
    def held(self) -> dict[Position, int]:
        """Where to read again, if something must wait."""
        if self.waiting is None:
            return {}
        record = self.waiting.record
        return {Position(record.topic, record.partition): record.offset}

    def ripe_at(self, payloads: Payloads) -> dict[Position, tuple[str, int]]:
        """Say from which watermark on what waits may be told; 0 where nothing waits."""
        record = self.records[0]
        time = self.waiting.time + payloads.span if self.waiting else 0
        return {Position(record.topic, record.partition): (payloads.model, time)}

    def due(self, payloads: Payloads) -> Due:
        """Ask the store for the labels."""
        ids = [(key_of(read.scored.id), read.record.offset) for read in self.ready]
        given_up = (self.ready[-1].time if self.ready else 0) - payloads.span
        return Due(self.partition, self.first, ids, given_up)


async def _settle(cursor: Cursor, claim: Claimed | None, payloads: Payloads, join: Join) -> Told:
    """Count and publish what was claimed."""
    if claim is None:
        return Told(held=await join.replaced(payloads.model, cursor.partition))
    joined = [one for pair in _pairs(cursor, claim, join) for one in outcomes(*pair, payloads)]
    measured = payloads.measure(
        [one.prediction.scored.score for one in joined],
        [one.label.value if one.label else None for one in joined],
    )
    both = list(zip(joined, measured, strict=True))
    windows = _counted(both, claim, payloads, join)
    if cursor.end > claim.places.predictions:
        packed = msgspec.msgpack.encode(windows)
        new = Counted(cursor.partition, claim.places.predictions, cursor.end, packed)
        if not all(await join.store.count(payloads.model, [new])):
            return Told(held={Position(cursor.records[0].topic, cursor.partition): cursor.first})
    matched = sum(one.status == "labelled" for one in joined)
    join.closing.matched(payloads.model, matched, claim.unmatched)
    told = await join.closing.passed(
        payloads, cursor.partition, windows, windows.newest - payloads.lateness
    )
    topic = join.placing.names.data(OUTCOMES, payloads.model)
    told.messages = [
        message(topic, one.prediction.record, one, terms, payloads)
        for one, terms in both
        if one.told
    ]
    return told


def _counted(
    both: Sequence[tuple[Joined, Measured]], claim: Claimed, payloads: Payloads, join: Join
) -> Windows:
    """Add to the windows what they do not hold yet; corrections come too late for them."""
    windows = unpacked(claim.windows)
    for one, terms in both:
        read, offset = one.prediction, one.prediction.record.offset
        if one.status == "corrected" or offset < claim.places.predictions:
            continue
        window = windows.around(read.time, offset, payloads.window, payloads.lateness)
        if window is None:
            join.telemetry.count("outcomes_uncounted", payloads.model)
        else:
            window.count(read.scored.version, terms, payloads.slices(read.scored))
    return windows


async def _correction(
    record: Record, label: Label, remembered: Remembered, payloads: Payloads, join: Join
) -> list[Message]:
    """Publish the outcome anew if this label has changed the truth after it was told."""
    if label.offset < remembered.joined_at or label not in remembered.labels:
        return []
    predictions, _ = join.placing.positions(payloads.model, record.partition)
    found = await join.log.record(predictions, remembered.prediction)
    if found is None or found.offset != remembered.prediction:
        join.telemetry.count("labels_too_late", payloads.model)
        return []
    scored = payloads.scored(found.value)
    read = Read(found, scored, microseconds(scored.time))
    if label not in remembered.corrections(read.time + payloads.span):
        return []
    measured = payloads.measure([scored.score], [label.value])
    joined = Joined(read, label, "corrected", told=True)
    topic = join.placing.names.data(OUTCOMES, payloads.model)
    return [message(topic, record, joined, measured[0], payloads)]


def _pairs(
    cursor: Cursor, claim: Claimed, join: Join
) -> Iterator[tuple[Read, Remembered, Claimed]]:
    """Pair predictions with what is remembered of them; copies of a prediction are passed over."""
    for read, packed in zip(cursor.ready, claim.records, strict=True):
        remembered = Remembered.unpacked(packed)
        if remembered.prediction == read.record.offset:
            yield read, remembered, claim
        else:
            join.telemetry.count("records_duplicate", read.record.topic)


def by_partition(batch: Batch) -> dict[int, list[Record]]:
    """Group a batch's records: partition -> records in log order."""
    groups: dict[int, list[Record]] = defaultdict(list)
    for record in batch.records:
        groups[record.partition].append(record)
    return groups


def held(batch: Batch) -> Told:
    """Read the whole batch again later: its model is not declared here yet."""
    return Told(
        held={
            Position(records[0].topic, partition): records[0].offset
            for partition, records in by_partition(batch).items()
        }
    )

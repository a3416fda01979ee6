"""events, labels -> events.validated, labels.validated, events.quarantined, quality.measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Literal, cast

import msgspec
from pydantic import BaseModel

from contracts.base import Window
from contracts.data import (
    EVENTS_QUARANTINED,
    EVENTS_VALIDATED,
    LABELS_VALIDATED,
    event_type,
    label_type,
)
from contracts.declaration import Declaration
from contracts.quality import QualityMeasured
from contracts.registry import ModelDeclared
from services.validation.domain.copies import Copies
from services.validation.domain.headers import completed, kept, written
from services.validation.domain.judgement import REUSED, Error, Faulty, Sound, judge
from services.validation.domain.keys import Keys
from services.validation.domain.quality import Book, Fate, Ledger, Tally, start_of
from services.validation.ports import Entry, Memory
from shared.kafka import Batch, Message, Names, Record, Told
from shared.telemetry import Telemetry

Stream = Literal["events", "labels"]

LONGEST_KEY = 1000
LONGEST_REASON = 4000
BOOKS = msgspec.json.Decoder(Book)
TALLIES = msgspec.json.Decoder(Tally)
ENCODER = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Policy:
    """What is allowed and what is remembered; see settings."""

    future: timedelta
    largest_record: int
    dedupe_ttl_s: int
    quality_ttl_s: int


@dataclass(frozen=True, slots=True)
class Known:
    """A declaration and the types that follow from it."""

    declaration: Declaration
    digest: str
    types: Mapping[str, type[BaseModel]]


@dataclass(slots=True)
class Declared:
    """The declaration in force of every model, with its types, generated once."""

    models: dict[str, Known] = field(default_factory=dict)
    revisions: dict[str, int] = field(default_factory=dict)
    missed: set[str] = field(default_factory=set)

    def apply(self, event: ModelDeclared, _: int) -> None:
        """Take over a declaration; an older revision changes nothing."""
        if event.revision < self.revisions.get(event.model, 0):
            return
        self.revisions[event.model] = event.revision
        known = self.models.get(event.model)
        if known is None or known.digest != event.digest:
            of = event.declaration
            types = {"events": event_type(of), "labels": label_type(of)}
            self.models[event.model] = Known(of, event.digest, types)


async def validate(
    batch: Batch,
    *,
    declared: Declared,
    memory: Memory,
    names: Names,
    policy: Policy,
    telemetry: Telemetry,
) -> Told:
    """Judge a batch of one model's events or labels; without its declaration, wait for it."""
    known = declared.models.get(batch.model)
    if known is None:
        if batch.model not in declared.missed:
            declared.missed.add(batch.model)
            telemetry.log.warning("%s: %s wait for its declaration", batch.model, batch.kind)
        return Told(held=batch.starts())
    work = Work(batch, known, names, policy)

    found = dict(zip(work.keys, await memory.recall(work.keys), strict=True))

    told, entries = work.settled({key: value for key, value in found.items() if value is not None})
    told.after.append(partial(memory.remember, entries))
    for fate, number in work.fates.items():
        telemetry.count(
            "records_duplicate" if fate == "duplicate" else "records_quarantined",
            work.stream,
            number,
        )
    return told


class Work:
    """One batch on its way from bytes to verdicts, counts and messages.

    Attributes:
        keys: what must be known before `settled`: ids, books, closed windows to be amended.
        fates: how many were dropped or set aside, for the metrics.

    """

    def __init__(self, batch: Batch, known: Known, names: Names, policy: Policy) -> None:
        self.batch, self.known, self.names, self.policy = batch, known, names, policy
        self.stream = cast("Stream", batch.kind)
        spec = known.declaration.spec
        self.width, self.lateness = _span(spec.drift.window), _span(spec.label.lateness)
        self.at = Keys(batch.model, self.stream)
        self.judged = [(record, self._judge(record)) for record in batch.records]
        self.partitions = sorted({record.partition for record in batch.records})
        self.touched = {
            (record.partition, start_of(_ms(verdict.time), self.width))
            for record, verdict in self.judged
            if verdict.time is not None
        }
        ids = (self.at.id(item.id) for _, item in self.judged if isinstance(item, Sound))
        books = map(self.at.book, self.partitions)
        windows = (self.at.window(*at) for at in self.touched)
        self.keys = list(dict.fromkeys([*ids, *books, *windows]))
        self.fates: Counter[Fate] = Counter()

    def settled(self, found: Mapping[bytes, bytes]) -> tuple[Told, list[Entry]]:
        """Bring every record to its end, in log order.

        Args:
            found: what is remembered under `keys`.

        Returns:
            What to tell, and what to remember once that is safe.

        """
        copies, told = Copies(found), Told()
        ledgers = {partition: self._ledger(partition, found) for partition in self.partitions}
        for record, verdict in self.judged:
            fate, final = self._fate(verdict, copies)
            if isinstance(final, Faulty):
                told.messages.append(self._quarantined(record, final))
            elif fate == "valid":
                told.messages.append(self._validated(record, final))
            time = None if final.time is None else _ms(final.time)
            about = final.rules if isinstance(final, Faulty) else final.nulls
            if ledgers[record.partition].count(record.offset, time, fate, about):
                self.fates[fate] += 1
        del self.fates["valid"]
        state = {}
        for partition, ledger in ledgers.items():
            for start, tally in ledger.close().items():
                state[self.at.window(partition, start)] = ENCODER.encode(tally)
                told.events.append(self._measured(partition, ledger.book, start, tally))
            state[self.at.book(partition)] = ENCODER.encode(ledger.book)
        return told, [
            *(Entry(key, mark, self.policy.dedupe_ttl_s) for key, mark in copies.marks.items()),
            *(Entry(key, value, self.policy.quality_ttl_s) for key, value in state.items()),
        ]

    def _judge(self, record: Record) -> Sound | Faulty:
        size, largest = _size(record), self.policy.largest_record
        if size > largest:
            said = f"value: the record has {size:,} bytes with key and headers; at most {largest:,}"
            return Faulty((Error("value", "too_large", said),))
        if record.key is not None and len(record.key) > LONGEST_KEY:
            said = f"key: it has {len(record.key):,} bytes; at most {LONGEST_KEY:,}"
            return Faulty((Error("key", "too_large", said),))
        kind = self.known.types[self.stream]
        return judge(kind, record.value, _time(record.timestamp), self.policy.future)

    def _fate(self, verdict: Sound | Faulty, copies: Copies) -> tuple[Fate, Sound | Faulty]:
        if isinstance(verdict, Faulty):
            return "quarantined", verdict
        key = self.at.id(verdict.id)
        seen = copies.seen(key, verdict.content)
        if seen == "copy":
            return "duplicate", verdict
        # Another label under the same id is a correction, another event is a mistake.
        if seen == "other" and self.stream == "events":
            return "quarantined", Faulty((REUSED,), verdict.time)
        copies.mark(key, verdict.content)
        return "valid", verdict

    def _ledger(self, partition: int, found: Mapping[bytes, bytes]) -> Ledger:
        own = [(record, item) for record, item in self.judged if record.partition == partition]
        times = (_ms(item.time) for _, item in own if item.time is not None)
        book = found.get(self.at.book(partition))
        return Ledger(
            BOOKS.decode(book) if book else Book(),
            {
                start: TALLIES.decode(found[key])
                for where, start in self.touched
                if where == partition and (key := self.at.window(partition, start)) in found
            },
            width=self.width,
            lateness=self.lateness,
            otherwise=next(times, own[0][0].timestamp),
        )

    def _validated(self, record: Record, sound: Sound) -> Message:
        card = EVENTS_VALIDATED if self.stream == "events" else LABELS_VALIDATED
        # A correction is a second event about the same id.
        distinct = "" if self.stream == "events" else f":{sound.content.hex()}"
        attributes = {
            "ce_specversion": "1.0",
            "ce_id": sound.id + distinct,
            "ce_source": "driftwheel/validation",
            "ce_type": card.name(self.batch.model),
            "ce_time": sound.time.isoformat(),
            "content-type": "application/json",
        }
        return Message(
            self.names.data(card, self.batch.model),
            record.key or sound.id.encode(),
            record.value,
            completed(kept(record.headers), attributes),
            cause=record,
        )

    def _quarantined(self, record: Record, faulty: Faulty) -> Message:
        about = {
            "quarantine-topic": record.topic,
            "quarantine-partition": str(record.partition),
            "quarantine-offset": str(record.offset),
            "quarantine-reason": faulty.reason[:LONGEST_REASON],
            "quarantine-fields": ",".join(faulty.fields)[:LONGEST_REASON],
            "quarantine-schema": self.known.digest,
            "quarantine-time": _time(record.timestamp).isoformat(),
        }
        topic = self.names.data(EVENTS_QUARANTINED, self.batch.model)
        key, value, headers = record.key, record.value, kept(record.headers)
        if _size(record) > self.policy.largest_record:
            # Kafka would not take it a second time: say at least where it lies.
            key, value, headers = None, None, ()
        return Message(topic, key, value, headers + written(about), cause=record)

    def _measured(self, partition: int, book: Book, start: int, tally: Tally) -> QualityMeasured:
        window = Window(start=_time(start), end=_time(start + self.width))
        return QualityMeasured.caused_by(
            f"{self.batch.records[0].topic}/{partition}/{book.through}",
            distinct=window.start.isoformat(),
            model=self.batch.model,
            at=_time(book.newest or start),
            stream=self.stream,
            partition=partition,
            through=book.through,
            window=window,
            **msgspec.structs.asdict(tally),
        )


def _size(record: Record) -> int:
    headers = sum(len(name) + len(value or b"") for name, value in record.headers)
    return len(record.key or b"") + len(record.value or b"") + headers


def _span(duration: timedelta) -> int:
    return int(duration.total_seconds() * 1000)


def _time(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def _ms(time: datetime) -> int:
    return int(time.timestamp() * 1000)

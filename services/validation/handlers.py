"""events, labels -> events.validated, labels.validated, events.quarantined, quality.measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Literal, cast

import msgspec
from pydantic import BaseModel

from contracts import Event
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
from services.validation.domain.headers import Headers, completed, kept, written
from services.validation.domain.judgement import REUSED, Error, Faulty, Sound, digest, judge
from services.validation.domain.quality import Book, Fate, Ledger, Tally, start_of
from services.validation.ports import Entry, Memory
from shared.kafka import Batch, Message, Names, Position, Record, Told
from shared.telemetry import Telemetry

Stream = Literal["events", "labels"]

SECOND = timedelta(seconds=1)
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
        return Told(held=_starts(batch))
    work = Work(batch, known, names, policy)

    await work.recall(memory)

    work.settle(telemetry)
    entries = work.entries()
    return Told(work.messages, work.measured(), after=[partial(memory.remember, entries)])


class Work:
    """One batch on its way from bytes to verdicts, counts and messages."""

    def __init__(self, batch: Batch, known: Known, names: Names, policy: Policy) -> None:
        self.batch, self.known, self.names, self.policy = batch, known, names, policy
        self.stream = cast("Stream", batch.kind)
        self.messages: list[Message] = []
        self.verdicts = [self._judge(record) for record in batch.records]
        self.closed: dict[tuple[int, int], Tally] = {}

    # -- read -----------------------------------------------------------------------------------

    async def recall(self, memory: Memory) -> None:
        """Look up, in one round trip: ids, books, and closed windows that may be amended."""
        sound = [verdict for verdict in self.verdicts if isinstance(verdict, Sound)]
        ids = list({self.keys.id(verdict.id) for verdict in sound})
        partitions = sorted({record.partition for record in self.batch.records})
        windows = sorted({window for window in self._windows() if window is not None})
        books = [self.keys.book(partition) for partition in partitions]
        found = await memory.recall([*ids, *books, *(self.keys.window(*at) for at in windows)])
        answers = iter(found)
        known = {key: value for key, value in zip(ids, answers) if value is not None}

    # -- compute --------------------------------------------------------------------------------

    def settle(self, telemetry: Telemetry) -> None:
        """Bring every record to its end, in log order."""
        for record, verdict in zip(self.batch.records, self.verdicts, strict=True):
            fate, final = self._fate(verdict)
            if fate == "valid":
                self.messages.append(self._validated(record, cast("Sound", final)))
            elif fate == "quarantined":
                self.messages.append(self._quarantined(record, cast("Faulty", final)))
            about = final.nulls if isinstance(final, Sound) else final.rules
            time = None if final.time is None else _ms(final.time)
            if self.ledgers[record.partition].count(record.offset, time, fate, about):
                if fate == "duplicate":
                    telemetry.count("records_duplicate", self.stream)
                elif fate == "quarantined":
                    telemetry.count("records_quarantined", self.stream)
        for partition, ledger in self.ledgers.items():
            self.closed |= {(partition, start): tally for start, tally in ledger.close().items()}

    def measured(self) -> list[Event]:
        """Tell the windows that have closed or changed."""
        return [
            self._measured(partition, start, tally)
            for (partition, start), tally in self.closed.items()
        ]

    def entries(self) -> list[Entry]:
        """List what must be remembered once everything told is safe."""
        ids = [
            Entry(self._id_key(mark), content, self.policy.dedupe_ttl_s)
            for mark, content in self.copies.marks.items()
        ]
        state = {self._book_key(p): ENCODER.encode(x.book) for p, x in self.ledgers.items()}
        state |= {self._window_key(*at): ENCODER.encode(x) for at, x in self.closed.items()}
        return ids + [Entry(key, value, self.policy.quality_ttl_s) for key, value in state.items()]

    def _judge(self, record: Record) -> Sound | Faulty:
        size = _size(record)
        if size > self.policy.largest_record:
            largest = self.policy.largest_record
            said = f"value: the record has {size:,} bytes with key and headers; at most {largest:,}"
            return Faulty((Error("value", "too_large", said),))
        if record.key is not None and len(record.key) > LONGEST_KEY:
            said = f"key: it has {len(record.key):,} bytes; at most {LONGEST_KEY:,}"
            return Faulty((Error("key", "too_large", said),))
        kind = self.known.types[self.stream]
        return judge(kind, record.value, _arrival(record), self.policy.future)

    def _fate(self, verdict: Sound | Faulty) -> tuple[Fate, Sound | Faulty]:
        if isinstance(verdict, Faulty):
            return "quarantined", verdict
        mark = _mark(verdict.id)
        seen = self.copies.seen(mark, verdict.content)
        if seen == "copy":
            return "duplicate", verdict
        if seen == "other" and self.stream == "events":
            return "quarantined", Faulty((REUSED,), verdict.time)
        self.copies.mark(mark, verdict.content)
        return "valid", verdict

    # -- tell -----------------------------------------------------------------------------------

    def _validated(self, record: Record, sound: Sound) -> Message:
        card = EVENTS_VALIDATED if self.stream == "events" else LABELS_VALIDATED
        # A correction is another event about the same id.
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
            "quarantine-time": _arrival(record).isoformat(),
        }
        key, value, headers = self._publishable(record)
        topic = self.names.data(EVENTS_QUARANTINED, self.batch.model)
        return Message(topic, key, value, headers + written(about), cause=record)  # type: ignore[arg-type]

    def _publishable(self, record: Record) -> tuple[bytes | None, bytes | None, Headers]:
        """Keep all of a record; of one too large to publish again, only where it lies."""
        if _size(record) > self.policy.largest_record:
            return None, None, ()
        return record.key, record.value, kept(record.headers)

    def _measured(self, partition: int, start: int, tally: Tally) -> QualityMeasured:
        book = self.ledgers[partition].book
        topic = self.batch.records[0].topic
        width = self.known.declaration.spec.drift.window
        window = Window(start=_time(start), end=_time(start) + width)
        return QualityMeasured.caused_by(
            f"{topic}/{partition}/{book.through}",
            distinct=window.start.isoformat(),
            model=self.batch.model,
            at=_time(book.newest or 0),
            stream=self.stream,
            partition=partition,
            through=book.through,
            window=window,
            **msgspec.structs.asdict(tally),
        )

    # -- keys and windows -----------------------------------------------------------------------

    def _ledger(
        self, partition: int, book: bytes | None, closed: Mapping[tuple[int, int], Tally]
    ) -> Ledger:
        spec = self.known.declaration.spec
        own = [
            (record, verdict)
            for record, verdict in zip(self.batch.records, self.verdicts, strict=True)
            if record.partition == partition
        ]
        times = (_ms(verdict.time) for _, verdict in own if verdict.time is not None)
        return Ledger(
            BOOKS.decode(book) if book else Book(),
            {start: tally for (part, start), tally in closed.items() if part == partition},
            width=spec.drift.window // SECOND * 1000,
            lateness=spec.label.lateness // SECOND * 1000,
            otherwise=next(times, own[0][0].timestamp),
        )

    def _windows(self) -> Sequence[tuple[int, int] | None]:
        width = self.known.declaration.spec.drift.window // SECOND * 1000
        return [
            None if verdict.time is None else (record.partition, start_of(_ms(verdict.time), width))
            for record, verdict in zip(self.batch.records, self.verdicts, strict=True)
        ]


def _starts(batch: Batch) -> dict[Position, int]:
    starts: dict[Position, int] = {}
    for record in batch.records:
        starts.setdefault(Position(record.topic, record.partition), record.offset)
    return starts


def _size(record: Record) -> int:
    headers = sum(len(name) + len(value or b"") for name, value in record.headers)
    return len(record.key or b"") + len(record.value or b"") + headers


def _arrival(record: Record) -> datetime:
    return _time(record.timestamp)


def _time(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def _ms(time: datetime) -> int:
    return int(time.timestamp() * 1000)

"""What validation says about the records of one batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from contracts.base import Window
from contracts.data import EVENTS_QUARANTINED, EVENTS_VALIDATED, LABELS_VALIDATED
from contracts.quality import QualityMeasured
from services.validation.domain.headers import completed, envelope, kept, written
from services.validation.domain.judgement import Faulty
from services.validation.handlers.counting import Closing
from services.validation.handlers.declared import Known
from services.validation.handlers.examining import Limits, size_of, time_of
from shared.kafka import Batch, Block, Headers, Message, Names, Record

LONGEST_REASON = 4000


@dataclass(frozen=True, slots=True)
class Speaker:
    """Puts into words what became of one batch's records."""

    batch: Batch
    known: Known
    names: Names
    limits: Limits

    def validated(
        self,
        records: Sequence[Record],
        ids: Sequence[bytes],
        times: Sequence[bytes],
        contents: Sequence[int],
    ) -> Block:
        """Let n records go on as they came.

        Args:
            records: as they came.
            ids: texts.
            times: texts.
            contents: digests.

        """
        card = EVENTS_VALIDATED if self.batch.kind == "events" else LABELS_VALIDATED
        fixed, distinct = envelope(card.name(self.batch.model)), ids
        if card is LABELS_VALIDATED:
            # A correction is a second event about the same id.
            distinct = [b"%b:%016x" % pair for pair in zip(ids, contents, strict=True)]
        headers = Headers(fixed, {"ce_id": distinct, "ce_time": times})
        given = [(row, record.headers) for row, record in enumerate(records) if record.headers]
        return Block(
            self.names.data(card, self.batch.model),
            None,
            [record.key or event_id for record, event_id in zip(records, ids, strict=True)],
            [record.value for record in records],
            headers.but({row: completed(own, headers[row]) for row, own in given}),
            records,
        )

    def quarantined(self, record: Record, faulty: Faulty) -> Message:
        """Set a record aside, whole, with the reason."""
        about = {
            "quarantine-topic": record.topic,
            "quarantine-partition": str(record.partition),
            "quarantine-offset": str(record.offset),
            "quarantine-reason": faulty.reason[:LONGEST_REASON],
            "quarantine-fields": ",".join(faulty.fields)[:LONGEST_REASON],
            "quarantine-schema": self.known.digest,
            "quarantine-time": time_of(record.timestamp).isoformat(),
        }
        topic = self.names.data(EVENTS_QUARANTINED, self.batch.model)
        key, value, headers = record.key, record.value, kept(record.headers)
        if size_of(record) > self.limits.largest_record:
            # Kafka would not take it a second time: say at least where it lies.
            key, value, headers = None, None, ()
        return Message(topic, key, value, headers + written(about), cause=record)

    def measured(self, closing: Closing) -> QualityMeasured:
        """Tell what a window held."""
        width = self.known.declaration.spec.drift.window
        start, book = time_of(closing.start), closing.book
        return QualityMeasured.caused_by(
            f"{self.batch.runs[0].position.topic}/{closing.partition}/{book.through}",
            distinct=start.isoformat(),
            model=self.batch.model,
            at=time_of(book.newest or closing.start),
            stream=self.batch.kind,
            partition=closing.partition,
            through=book.through,
            window=Window(start=start, end=start + width),
            **msgspec.structs.asdict(closing.tally),
        )

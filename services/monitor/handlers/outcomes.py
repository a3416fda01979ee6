"""What becomes of a prediction, and the record that says so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from services.monitor.domain.labels import Label, Remembered
from services.monitor.domain.tallies import Measured
from services.monitor.handlers.payloads import Payloads, Scored, Status, microseconds
from services.monitor.ports import Claimed
from shared.kafka import Message, Parked, Record, Told


@dataclass(frozen=True, slots=True)
class Read:
    """A prediction's record, read.

    Attributes:
        time: event time, microseconds.

    """

    record: Record
    scored: Scored
    time: int


@dataclass(frozen=True, slots=True)
class Joined:
    """A prediction with one label, or without."""

    prediction: Read
    label: Label | None
    status: Status
    told: bool


def read_labels(
    records: Sequence[Record], payloads: Payloads, told: Told
) -> Iterator[tuple[Record, str, Label]]:
    """Read labels with the id each is for; what is none is parked."""
    for record in records:
        try:
            yield (record, *payloads.label(record.value, record.offset))
        except ValueError as error:
            told.parked.append(Parked(record, "poison", str(error)))


def read_predictions(records: Sequence[Record], payloads: Payloads, told: Told) -> Iterator[Read]:
    """Read predictions; what is none is parked."""
    for record in records:
        try:
            scored = payloads.scored(record.value)
        except ValueError as error:
            told.parked.append(Parked(record, "poison", str(error)))
        else:
            yield Read(record, scored, microseconds(scored.time))


def outcomes(
    read: Read, remembered: Remembered, claim: Claimed, payloads: Payloads
) -> Iterator[Joined]:
    """List a prediction's outcomes: the one at its time, and the corrections known by now."""
    deadline = read.time + payloads.span
    fresh = read.record.offset >= claim.places.told_predictions
    label = remembered.joined(deadline)
    yield Joined(read, label, "unlabelled" if label is None else "labelled", fresh)
    for label in remembered.corrections(deadline):
        yield Joined(read, label, "corrected", fresh or label.offset >= remembered.joined_at)


def message(
    topic: str, cause: Record, joined: Joined, measured: Measured, payloads: Payloads
) -> Message:
    """Write the record of an outcome, under the key of its prediction."""
    record, scored = joined.prediction.record, joined.prediction.scored
    return Message(
        topic,
        record.key if record.key is not None else scored.id.encode(),
        payloads.outcome(record.value or b"", joined.label, joined.status, measured),
        payloads.headers(scored, joined.label),
        cause,
    )

"""The bytes of predictions, labels and outcomes, read and written for one declaration."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, TypeVar

import msgspec
import numpy as np
from msgspec import Meta, Raw, Struct

from contracts.base import NAMESPACE
from contracts.data import OUTCOMES
from contracts.declaration import Cost, Declaration
from services.monitor.domain.labels import Label
from services.monitor.domain.tallies import Measured
from shared.errors import Rejected
from shared.losses import costs, losses

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
Time = Annotated[datetime, Meta(tz=True)]
S = TypeVar("S")
Status = Literal["labelled", "unlabelled", "corrected"]


class Timed(Struct):
    """As much of a prediction as the watermark needs."""

    time: Time


class Scored(Struct):
    """As much of a prediction as the join and the sums need; subclassed for the slices."""

    id: str
    time: Time
    version: str
    score: float | list[float]
    features: Any


class Spelled(Struct):
    """A prediction's fields as its own bytes."""

    id: Raw
    time: Raw
    model: Raw
    version: Raw
    score: Raw
    decision: Raw
    features: Raw
    shadow: Raw


class LabelRead(Struct):
    """A label."""

    id: str
    time: Time
    value: bool | float | str


TIMED = msgspec.json.Decoder(Timed)
SPELLED = msgspec.json.Decoder(Spelled)
LABEL = msgspec.json.Decoder(LabelRead)


class Payloads:
    """Reads and writes the records of one declaration."""

    def __init__(self, declaration: Declaration) -> None:
        spec = declaration.spec
        self.model, self.task, self.classes = declaration.name, spec.task, spec.classes or ()
        self.metric = str(spec.metric)
        self.missing = 0.0 if spec.label.missing == "negative" else None
        self.span = microseconds_of(spec.label.horizon + spec.label.lateness)
        self.lateness = microseconds_of(spec.label.lateness)
        self.window = microseconds_of(spec.drift.window)
        self.threshold, self.cost = declaration.threshold, spec.cost or Cost()
        slices = [(name, bool | str | None, None) for name in spec.slices]
        features = msgspec.defstruct("Features", slices)
        scored = msgspec.defstruct("Scored", [("features", features)], bases=(Scored,))
        self._slices = spec.slices
        self._envelope = (
            ("ce_specversion", b"1.0"),
            ("ce_source", b"driftwheel/monitor"),
            ("ce_type", OUTCOMES.name(self.model).encode()),
            ("content-type", b"application/json"),
        )
        self._scored: msgspec.json.Decoder[Any] = msgspec.json.Decoder(scored)

    def scored(self, value: bytes | None) -> Scored:
        """Read a prediction.

        Raises:
            ValueError: it is none.

        """
        scored: Scored = decoded(self._scored, value)
        classes = len(scored.score) if isinstance(scored.score, list) else 0
        if classes != len(self.classes):
            raise Rejected(f"score: expected {len(self.classes) or 'no'} classes, found {classes}")
        return scored

    def label(self, value: bytes | None, offset: int) -> tuple[str, Label]:
        """Read a label and the id it is for.

        Raises:
            ValueError: it is none, or has a value that the declaration does not know.

        """
        label = decoded(LABEL, value)
        return label.id, Label(microseconds(label.time), self._number(label.value), offset)

    def slices(self, scored: Scored) -> dict[str, str]:
        """Name the slices a prediction belongs to: feature -> value."""
        values = ((name, getattr(scored.features, name)) for name in self._slices)
        return {
            name: str(value).lower() if isinstance(value, bool) else value
            for name, value in values
            if value is not None
        }

    def measure(
        self, scores: Sequence[float | list[float]], labels: Sequence[float | None]
    ) -> list[Measured]:
        """Measure outcomes; one without a label counts as declared in `label.missing`.

        Args:
            scores: n scores.
            labels: n labels as numbers, None where there is none.

        """
        known = [self.missing if label is None else label for label in labels]
        rows = [row for row, label in enumerate(known) if label is not None]
        measured = [Measured(False)] * len(known)
        if rows:
            values = np.array([known[row] for row in rows], dtype=np.float64)
            terms = self._terms(np.array([scores[row] for row in rows], dtype=np.float64), values)
            columns = (term.tolist() for term in terms)
            for row, *numbers in zip(rows, *columns, strict=True):
                measured[row] = Measured(True, *numbers)
        return measured

    def outcome(
        self, prediction: bytes, label: Label | None, status: Status, measured: Measured
    ) -> bytes:
        """Write an outcome: the prediction's own bytes, and what came of it."""
        p = SPELLED.decode(prediction)
        number = self.missing if label is None else label.value
        return (
            b'{"id":%b,"time":%b,"model":%b,"version":%b,"score":%b,"decision":%b,"features":%b,'
            b'"label":%b,"label_time":%b,"status":"%b","loss":%b,"shadow":%b}'
        ) % (
            *(p.id, p.time, p.model, p.version, p.score, p.decision, p.features),
            self._value(number),
            msgspec.json.encode(None if label is None else moment(label.time)),
            status.encode(),
            msgspec.json.encode(measured.loss if measured.labelled else None),
            p.shadow,
        )

    def headers(self, scored: Scored, label: Label | None) -> tuple[tuple[str, bytes], ...]:
        """Write the envelope of an outcome; its id follows from the event and the label alone."""
        said = "none" if label is None else f"{label.time}:{self._value(label.value).decode()}"
        name = f"outcome:{self.model}:{scored.id}:{said}"
        return (
            ("ce_id", str(uuid.uuid5(NAMESPACE, name)).encode()),
            ("ce_time", scored.time.isoformat().encode()),
            *self._envelope,
        )

    def _number(self, value: bool | float | str) -> float:
        if self.task == "multiclass" and value in self.classes:
            return float(self.classes.index(str(value)))
        if self.task == "binary" and isinstance(value, bool):
            return float(value)
        if self.task == "regression" and isinstance(value, float):
            return value
        raise Rejected(f"value: {value!r} is no label of {self.model}")

    def _value(self, number: float | None) -> bytes:
        if number is None:
            return b"null"
        if self.task == "regression":
            return msgspec.json.encode(number)
        return msgspec.json.encode(
            number > 0.5 if self.task == "binary" else self.classes[int(number)]
        )

    def _terms(self, scores: Any, labels: Any) -> tuple[Any, ...]:
        """Compute the terms of `Measured` after the first, a column each."""
        lost = losses(self.metric, scores, labels)
        if self.task == "binary":
            miss, alarm = self.cost.false_negative, self.cost.false_positive
            priced = costs(scores, labels, self.threshold, miss, alarm)
            return lost, scores, labels, scores * (1 - scores), priced
        if self.task == "multiclass":
            scores, labels = scores.max(axis=1), (scores.argmax(axis=1) == labels).astype(float)
        return lost, scores, labels, np.square(labels - scores), np.zeros(len(labels))


def decoded(decoder: msgspec.json.Decoder[S], value: bytes | None) -> S:
    """Decode a record's value.

    Raises:
        ValueError: it is not what was expected; the text says where.

    """
    try:
        return decoder.decode(value or b"")
    except msgspec.DecodeError as error:
        raise Rejected(str(error)) from error


def key_of(event_id: str) -> bytes:
    """Name an event id in 16 bytes."""
    return hashlib.blake2b(event_id.encode(), digest_size=16).digest()


def microseconds(time: datetime) -> int:
    """Count the microseconds since 1970."""
    return (time - EPOCH) // MICROSECOND


def microseconds_of(span: timedelta) -> int:
    """Count the microseconds of a span."""
    return span // MICROSECOND


def moment(time: int) -> datetime:
    """Turn microseconds since 1970 into a time."""
    return EPOCH + timedelta(microseconds=time)

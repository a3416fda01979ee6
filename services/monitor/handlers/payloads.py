"""The bytes of predictions and labels, read for one declaration, and the terms of outcomes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
import numpy as np
from msgspec import Meta, Raw, Struct
from numpy.typing import NDArray

from contracts.declaration import Cost, Declaration
from shared.drift.cells import Column
from shared.errors import Rejected
from shared.losses import costs, losses

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
Time = Annotated[datetime, Meta(tz=True)]
Floats: TypeAlias = NDArray[np.float64]
Decode: TypeAlias = Callable[[bytes], Any]
TEXTS = {True: "true", False: "false", None: None}


class Timed(Struct, gc=False):
    """As much of a prediction as the watermark needs; the time as its text."""

    time: str


class Predicted(Struct, gc=False):
    """A prediction: what the join and the sums need is read, the rest goes on as it came."""

    id: str
    time: str
    version: str
    score: Any
    decision: Raw
    features: Raw
    shadow: Raw
    sliced: Any = None


class Heading(Struct, gc=False):
    """A prediction at the head: what is counted by cells."""

    id: str
    time: str
    version: str
    score: Any
    features: Any


class LabelRead(Struct, gc=False):
    """A label."""

    id: str
    time: str
    value: Any


TIMED = msgspec.json.Decoder(Timed)


class Payloads:
    """Reads the records of one declaration, and measures them."""

    def __init__(self, declaration: Declaration) -> None:
        spec = declaration.spec
        self.model, self.task, self.classes = declaration.name, spec.task, spec.classes or ()
        self.metric = str(spec.metric)
        self.missing = 0.0 if spec.label.missing == "negative" else np.nan
        self.span = microseconds_of(spec.label.horizon + spec.label.lateness)
        self.lateness = microseconds_of(spec.label.lateness)
        self.grace_s = int(spec.label.grace.total_seconds())
        self.window = microseconds_of(spec.drift.window)
        self.threshold, self.cost = declaration.threshold, spec.cost or Cost()
        self.slices = spec.slices
        self.kinds = {name: feature.type for name, feature in spec.features.items()}
        self.promise = spec.drift.false_alarms
        prediction = msgspec.json.Decoder(_with(Predicted, score=self._score)).decode
        self.prediction: Decode = self._with_slices(prediction) if self.slices else prediction
        heading = _with(Heading, score=self._score, features=_features(self.kinds))
        self.heading: Decode = msgspec.json.Decoder(heading).decode
        self.label: Decode = msgspec.json.Decoder(_with(LabelRead, value=self._value)).decode

    @property
    def _score(self) -> Any:
        several = len(self.classes)
        if not several:
            return float
        return Annotated[list[float], Meta(min_length=several, max_length=several)]

    @property
    def _value(self) -> Any:
        one_class: Any = Literal[self.classes]
        return {"binary": bool, "regression": float, "multiclass": one_class}[self.task]

    def _with_slices(self, prediction: Decode) -> Decode:
        kinds = [(name, bool | str | None, None) for name in self.slices]
        sliced = msgspec.json.Decoder(msgspec.defstruct("Sliced", kinds)).decode

        def decode(value: bytes) -> Any:
            row = prediction(value)
            row.sliced = sliced(row.features)
            return row

        return decode

    def columns(self, rows: Sequence[Any]) -> dict[str, Column]:
        """Turn the features of n predictions into columns; NaN and None stand for nothing.

        Args:
            rows: at least one, as `heading` reads them.

        """
        values = zip(*[msgspec.structs.astuple(row.features) for row in rows], strict=True)
        return {
            name: _column(kind, column)
            for (name, kind), column in zip(self.kinds.items(), values, strict=True)
        }

    def numbers(self, values: Sequence[Any]) -> Floats:
        """Turn n labels' values into numbers: 0 or 1, the value, or the index of the class."""
        if self.task == "multiclass":
            places = {name: place for place, name in enumerate(self.classes)}
            values = [places[value] for value in values]
        return np.array(values, dtype=np.float64)

    def known(self, values: Floats) -> Floats:
        """Replace missing labels, NaN, by what `label.missing` declares them to mean."""
        return np.where(np.isnan(values), self.missing, values)

    def terms(self, scores: Floats, values: Floats) -> Floats:
        """Measure outcomes.

        Args:
            scores: (n,) or (n, classes).
            values: (n,) labels as numbers, NaN where there is none.

        Returns:
            (8, n), in the order of the fields of `Sums`; all but the first 0 without a label.

        """
        terms = np.zeros((8, len(values)))
        terms[0] = 1
        rows = np.flatnonzero(~np.isnan(values))
        if len(rows):
            terms[1:, rows] = self._terms(scores[rows], values[rows])
        return terms

    def _terms(self, scores: Floats, labels: Floats) -> list[Floats]:
        lost, one = losses(self.metric, scores, labels), np.ones(len(labels))
        if self.task == "binary":
            miss, alarm = self.cost.false_negative, self.cost.false_positive
            priced = costs(scores, labels, self.threshold, miss, alarm)
            return [one, lost, lost * lost, scores, labels, scores * (1 - scores), priced]
        if self.task == "multiclass":
            scores, labels = scores.max(axis=1), (scores.argmax(axis=1) == labels).astype(float)
        return [one, lost, lost * lost, scores, labels, np.square(labels - scores), 0 * one]


def _features(kinds: Mapping[str, str]) -> type[Struct]:
    read: dict[str, Any] = {"category": str | None, "bool": bool | None}
    fields = [(name, read.get(kind, float | None), None) for name, kind in kinds.items()]
    return msgspec.defstruct("Features", fields, gc=False)


def _column(kind: str, values: Sequence[Any]) -> Column:
    if kind == "bool":
        return [TEXTS[value] for value in values]
    return values if kind == "category" else np.array(values, np.float64)


def _with(struct: type[Struct], **kinds: Any) -> type[Struct]:
    return msgspec.defstruct(struct.__name__, list(kinds.items()), bases=(struct,), gc=False)


def moment_of(text: str) -> int:
    """Read any time of RFC 3339 that names its zone: microseconds since 1970.

    Raises:
        ValueError: it is none.

    """
    try:
        return microseconds(msgspec.convert(text, Time))
    except msgspec.ValidationError as error:
        raise Rejected(f"time: {error}") from error


def microseconds(time: datetime) -> int:
    """Count the microseconds since 1970."""
    return (time - EPOCH) // MICROSECOND


def microseconds_of(span: timedelta) -> int:
    """Count the microseconds of a span."""
    return span // MICROSECOND


def moment(time: int) -> datetime:
    """Turn microseconds since 1970 into a time."""
    return EPOCH + timedelta(microseconds=time)

"""Bytes of events and labels -> columns; what a reader does not accept is for the judge."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, NamedTuple, Protocol

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from contracts.data import label_value
from contracts.declaration import Declaration
from services.validation.domain.columns import NO_TIME, Columns, microseconds
from services.validation.domain.contents import NULL, cell, cells_of, text_cell
from services.validation.domain.judgement import EARLIEST
from shared.events import EventReader, Events, PerText, fields_of

AwareTime = Annotated[datetime, Meta(tz=True)]
Text = Annotated[str, Meta(min_length=1, max_length=200)]
QUOTES = 2 * len(("id", "time", "value", "of the id", "of the time"))
DASH = ord("-")
# A seventh digit of the second is rounded by one library and cut off by the other.
TOO_FINE = re.compile(r"\.\d{7}")


class Label(NamedTuple):
    """What is read of a label; nothing, by default."""

    id: bytes = b""
    time: bytes = b""
    time_us: int = NO_TIME
    cell: int = NULL


class Reader(Protocol):
    """Reads n values into columns; accepts only what the contract accepts."""

    def read(self, values: Sequence[bytes | None]) -> Columns:
        """Read values; what is not accepted is not sound, which does not mean that it is wrong."""
        ...


class EventColumns:
    """Reads the events of one declaration."""

    def __init__(self, declaration: Declaration) -> None:
        fields = fields_of(declaration)
        self._names = tuple(field.name for field in fields)
        self._reader = EventReader(fields)
        self._texts = {
            column: PerText(text_cell, np.uint64)
            for column, field in enumerate(fields)
            if field.kind == "category"
        }

    def read(self, values: Sequence[bytes | None]) -> Columns:
        """Read events."""
        events = self._reader.read(values)
        cells = cells_of(events.matrix)
        for column, texts in self._texts.items():
            codes = events.matrix[:, column]
            given = np.flatnonzero(~np.isnan(codes))
            known = texts(events.vocabulary[column])
            cells[given, column] = known[codes[given].astype(np.int64)]
        ids, times = events.texts(events.ids), events.texts(events.times)
        sound = events.accepted & _iso(events)
        return Columns(self._names, sound, ids, times, events.time_us, cells)


def _iso(events: Events) -> NDArray[np.bool_]:
    """Tell dates from digits, which the contract's type takes for seconds since 1970."""
    texts, starts = np.frombuffer(events.buffer, dtype=np.uint8), events.times[:, 0]
    dashes: NDArray[np.bool_] = (texts[starts + 4] == DASH) & (texts[starts + 7] == DASH)
    return dashes


class LabelColumns:
    """Reads the labels of one declaration."""

    def __init__(self, declaration: Declaration) -> None:
        fields = [("id", Text), ("time", str), ("value", label_value(declaration))]
        label = msgspec.defstruct("Label", fields, forbid_unknown_fields=True)
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(label)

    def read(self, values: Sequence[bytes | None]) -> Columns:
        """Read labels."""
        labels = [self._label(value or b"") for value in values]
        ids, times, time_us, cells = map(list, zip(*labels, strict=True))
        moments = np.array(time_us, dtype=np.int64)
        column = np.array(cells, dtype=np.uint64)[:, None]
        return Columns(("value",), moments != NO_TIME, ids, times, moments, column)

    def _label(self, value: bytes) -> Label:
        try:
            label = self._decoder.decode(value)
            time = msgspec.convert(label.time, AwareTime)
        except (ValueError, RecursionError):
            return Label()
        if time < EARLIEST or TOO_FINE.search(label.time):
            return Label()
        # Without escapes, quotes are the ends of names and texts: more of them repeat a name.
        quotes = QUOTES + 2 * isinstance(label.value, str)
        if b"\\" in value or value.count(b'"') != quotes:
            return Label()
        return Label(label.id.encode(), label.time.encode(), microseconds(time), cell(label.value))

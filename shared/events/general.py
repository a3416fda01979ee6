"""Events decoded one by one: any spelling of JSON; the plain oracle of the kernel."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import compress
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta
from msgspec.structs import astuple
from numpy.typing import NDArray
from pydantic import AwareDatetime, TypeAdapter

from shared.events.columns import Events
from shared.events.fields import Field
from shared.events.vocabulary import Vocabulary

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
EARLIEST_US = (datetime(1000, 1, 1, tzinfo=UTC) - EPOCH) // MICROSECOND
LONGEST_WHOLE = 2**63 - 1
MISSING = math.inf  # which no contract allows
AwareTime = Annotated[datetime, Meta(tz=True)]
UNCOUNTED = -1
OUTER_NAMES = 5  # id, time, features, and the texts of two
ODD_TIME: TypeAdapter[datetime] = TypeAdapter(AwareDatetime)
Text = Annotated[str, Meta(min_length=1, max_length=200)]


class Envelope(msgspec.Struct, forbid_unknown_fields=True):
    """An event whose features are still bytes."""

    id: Text
    time: msgspec.Raw
    features: msgspec.Raw


class Spelled(msgspec.Struct):
    """The id of an event as it is written, with its quotes."""

    id: msgspec.Raw


TIMES = msgspec.json.Decoder(AwareTime)
SPELLED = msgspec.json.Decoder(Spelled)


# Of a decoded event: row, ends of texts in its bytes, id, time, features, microseconds, values.
Row = tuple[int, int, bytes, bytes, bytes, int, tuple[Any, ...]]


class GeneralDecoder:
    """Accepts what the contract accepts, except where a name occurs twice."""

    def __init__(self, fields: Sequence[Field], vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self._envelope = msgspec.json.Decoder(Envelope)
        self._features = msgspec.json.Decoder(_features_type(fields))
        self._categories = [field.kind == "category" for field in fields]

    def fill(
        self,
        events: Events,
        values: Sequence[bytes],
        starts: NDArray[np.int64],
        numbers: Iterable[int],
    ) -> None:
        """Fill the rows `numbers` of `events` that are accepted."""
        rows = [row for number in numbers if (row := self._row(number, values[number]))]
        if not rows:
            return
        matrix, names = self._columns([row[-1] for row in rows])
        quotes = np.array([row[1] for row in rows])
        # Quotes are the ends of names and texts; any more are of a name that occurs twice.
        sound = (quotes == UNCOUNTED) | (quotes == 2 * names)
        rows = list(compress(rows, sound))
        accepted = [row[0] for row in rows]
        events.accepted[accepted] = True
        events.matrix[accepted] = matrix[sound]
        events.time_us[accepted] = [row[5] for row in rows]
        _place(events, [values[number] for number in accepted], starts[accepted], rows)

    def _columns(
        self, rows: Sequence[tuple[Any, ...]]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Put the values of n rows into columns; count the names and texts of their records."""
        matrix = np.empty((len(rows), len(self._categories)))
        names = np.full(len(rows), OUTER_NAMES)
        for column, cells in enumerate(zip(*rows, strict=True)):
            category = self._categories[column]
            matrix[:, column] = self.vocabulary.codes(column, cells) if category else cells
            given = matrix[:, column] != MISSING
            names += given
            if category:
                names += given & ~np.isnan(matrix[:, column])
        matrix[matrix == MISSING] = np.nan
        return matrix, names

    def _row(self, number: int, value: bytes) -> Row | None:
        try:
            event = self._envelope.decode(value)
            features = astuple(self._features.decode(event.features))
            time = bytes(event.time)
            moment = (_time(time) - EPOCH) // MICROSECOND
        except (ValueError, RecursionError):
            return None
        quotes = value.count(b'"')
        if b"\\" in value:
            if b"\\\\" not in value:
                quotes -= value.count(b'\\"')
            elif _repeated_name(value):
                return None
            else:
                quotes = UNCOUNTED
            time = msgspec.json.encode(msgspec.json.decode(time)) if b"\\" in time else time
        if moment < EARLIEST_US:
            return None
        part = bytes(event.features)
        return number, quotes, event.id.encode(), time[1:-1], part, moment, features


def _time(text: bytes) -> datetime:
    # msgspec rounds a seventh digit of the second, the contract cuts it off.
    if len(text) <= (29 if text.endswith(b'Z"') else 34):
        try:
            return TIMES.decode(text)
        except msgspec.ValidationError:
            pass  # the contract knows more spellings
    return ODD_TIME.validate_json(text, strict=True)


def _place(
    events: Events, values: Sequence[bytes], starts: NDArray[np.int64], rows: Sequence[Row]
) -> None:
    """Note where the texts of the rows stand; what stands only escaped goes to the buffer's end."""
    if not rows:
        return
    numbers, _, ids, times, features, *_ = zip(*rows, strict=True)
    added: list[bytes] = []
    end = len(events.buffer)
    for column, texts in ((0, ids), (2, times)):
        at = starts + [value.find(text) for value, text in zip(values, texts, strict=True)]
        for row in np.flatnonzero(at < starts):
            at[row] = end
            end += len(texts[row])
            added.append(texts[row])
        events.spans[numbers, column] = at
        events.spans[numbers, column + 1] = at + [len(text) for text in texts]
    at = starts + [_offset(value, part) for value, part in zip(values, features, strict=True)]
    events.spans[numbers, 4] = at
    events.spans[numbers, 5] = at + [len(part) for part in features]
    if added:
        events.buffer = b"".join((events.buffer, *added))
    escaped = [row for row, value in enumerate(values) if b"\\" in value]
    if escaped:
        events.spelled_ids = events.ids.copy()
        spelled = [bytes(SPELLED.decode(values[row]).id) for row in escaped]
        found = [values[row].find(text) for row, text in zip(escaped, spelled, strict=True)]
        rows_of_texts, begin = np.array(numbers)[escaped], starts[escaped] + found + 1
        events.spelled_ids[rows_of_texts, 0] = begin
        events.spelled_ids[rows_of_texts, 1] = begin + [len(text) - 2 for text in spelled]


def _offset(value: bytes, part: bytes) -> int:
    at = len(value) - len(part) - 1  # mostly the features end the record; a search costs more
    return at if value.startswith(part, at) else value.find(part)


def _features_type(fields: Sequence[Field]) -> type[msgspec.Struct]:
    """Generate the type of the features object."""
    kinds: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    names = {}
    for column, field in enumerate(fields):
        own = f"f{column}"  # a feature may be named like a keyword
        names[own] = field.name
        kind = _kind(field)
        kinds.append((own, kind | None, MISSING) if field.nullable else (own, kind))
    return msgspec.defstruct(
        "Features", kinds, rename=names, forbid_unknown_fields=True, kw_only=True
    )


def _kind(field: Field) -> Any:
    if field.kind == "category":
        return Literal[field.categories] if field.categories else Text
    if field.kind == "bool":
        return bool
    if field.kind == "float":
        return Annotated[float, Meta(ge=field.low, le=field.high)]
    low = -LONGEST_WHOLE if field.low is None else math.ceil(field.low)
    high = LONGEST_WHOLE if field.high is None else math.floor(field.high)
    return Annotated[int, Meta(ge=max(low, -LONGEST_WHOLE), le=min(high, LONGEST_WHOLE))]


def _repeated_name(value: bytes) -> bool:
    repeated = False

    def look(pairs: list[tuple[str, Any]]) -> None:
        nonlocal repeated
        repeated |= len({name for name, _ in pairs}) < len(pairs)

    json.loads(value, object_pairs_hook=look)
    return repeated

"""Events decoded one by one: any spelling of JSON; the plain oracle of the kernel."""

from __future__ import annotations

import math
import re
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
ENDS = re.compile(rb'(?<!\\)(?:\\\\)*"')
OUTER_NAMES = 5  # id, time, features, and the texts of two
ODD_TIME: TypeAdapter[datetime] = TypeAdapter(AwareDatetime)
Text = Annotated[str, Meta(min_length=1, max_length=200)]


class Envelope(msgspec.Struct, forbid_unknown_fields=True):
    """An event whose parts are still bytes."""

    id: msgspec.Raw
    time: msgspec.Raw
    features: msgspec.Raw


TIMES = msgspec.json.Decoder(AwareTime)
IDS = msgspec.json.Decoder(Text)


# Of a decoded event: row, id, id as spelled, time, features, microseconds, values.
Row = tuple[int, bytes, bytes, bytes, bytes, int, tuple[Any, ...]]


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
        # Quotes are the ends of names and texts; any more are of a name that occurs twice.
        sound = _quotes([values[row[0]] for row in rows]) == 2 * names
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
            event_id = IDS.decode(event.id).encode()
            features = astuple(self._features.decode(event.features))
            time = bytes(event.time)
            moment = (_time(time) - EPOCH) // MICROSECOND
        except (ValueError, RecursionError):
            return None
        if moment < EARLIEST_US:
            return None
        if b"\\" in time:
            time = msgspec.json.encode(msgspec.json.decode(time))
        spelled, part = bytes(event.id)[1:-1], bytes(event.features)
        return number, event_id, spelled, time[1:-1], part, moment, features


def _quotes(values: Sequence[bytes]) -> NDArray[np.int64]:
    """Count the quotes of each record that are not escaped."""
    lengths = np.fromiter(map(len, values), np.int64, len(values))
    starts = np.cumsum(lengths) - lengths
    text = np.frombuffer(b"".join(values), np.uint8)
    quotes, slashes = text == ord('"'), text == ord("\\")
    quotes[1:] &= ~slashes[:-1]
    counts = np.add.reduceat(quotes, starts, dtype=np.int64)
    # Behind an escaped backslash a quote is none that is escaped: these are counted one by one.
    for row in np.flatnonzero(np.add.reduceat(slashes[1:] & slashes[:-1], starts)).tolist():
        counts[row] = len(ENDS.findall(values[row]))
    return counts


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
    numbers, ids, spelled, times, features, *_ = zip(*rows, strict=True)
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
    escaped = [row for row, text in enumerate(ids) if text != spelled[row]]
    if escaped:
        events.spelled_ids = events.ids.copy()
        found = [values[row].find(b'"%b"' % spelled[row]) + 1 for row in escaped]
        begin = starts[escaped] + found
        events.spelled_ids[np.array(numbers)[escaped], 0] = begin
        events.spelled_ids[np.array(numbers)[escaped], 1] = begin + [
            len(spelled[row]) for row in escaped
        ]


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

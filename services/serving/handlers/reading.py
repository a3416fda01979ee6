"""Validated events as columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.events import EventReader
from shared.kafka import Parked, Record


class Incoming(msgspec.Struct):
    """An event whose parts go on as they came, byte for byte."""

    id: msgspec.Raw
    time: msgspec.Raw
    features: msgspec.Raw


INCOMING = msgspec.json.Decoder(Incoming)
TEXT = msgspec.json.Decoder(str)
FEATURES = msgspec.json.Decoder(dict[str, Any])


@dataclass(slots=True)
class Rows:
    """Events as columns of equal length, in the order in which they came.

    Attributes:
        records: as they came.
        ids: texts.
        spelled: ids as they stand between the quotes of the JSON.
        times: texts.
        features: JSON objects.
        matrix: (n, declared features).
        vocabulary: of each declared feature the texts that the matrix's codes stand for.
        loose: row -> features; of events that were validated under an earlier declaration.

    """

    records: Sequence[Record]
    ids: list[bytes]
    spelled: list[bytes]
    times: list[bytes]
    features: list[bytes]
    matrix: NDArray[np.float64]
    vocabulary: Sequence[list[str]]
    loose: dict[int, Mapping[str, Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.records)

    def at(self, rows: Sequence[int]) -> Rows:
        """Choose rows, in the order given."""
        return replace(
            self,
            records=[self.records[row] for row in rows],
            ids=[self.ids[row] for row in rows],
            spelled=[self.spelled[row] for row in rows],
            times=[self.times[row] for row in rows],
            features=[self.features[row] for row in rows],
            matrix=self.matrix[list(rows)],
            loose={new: self.loose[row] for new, row in enumerate(rows) if row in self.loose},
        )


def read(records: Sequence[Record], reader: EventReader) -> tuple[Rows, list[Parked]]:
    """Read events by the declaration; one that is none is parked alone."""
    events = reader.read([record.value for record in records])
    ids = events.texts(events.ids)
    spelled_alike = np.array_equal(events.ids, events.spelled_ids)
    rows = Rows(
        records,
        ids,
        list(ids) if spelled_alike else events.texts(events.spelled_ids),
        events.texts(events.times),
        events.texts(events.features),
        events.matrix,
        events.vocabulary,
    )
    parked = dict[int, Parked]()
    for row in np.flatnonzero(~events.accepted).tolist():
        try:
            _read_loosely(rows, row)
        except ValueError as error:
            parked[row] = Parked(records[row], "poison", f"not a validated event: {error}")
    if parked:
        rows = rows.at([row for row in range(len(rows)) if row not in parked])
    return rows, [*parked.values()]


def _read_loosely(rows: Rows, row: int) -> None:
    """Read an event that the declaration of today does not accept.

    Raises:
        ValueError: it is none at all.

    """
    event = INCOMING.decode(rows.records[row].value or b"")
    rows.loose[row] = FEATURES.decode(event.features)
    rows.ids[row], rows.times[row] = (TEXT.decode(raw).encode() for raw in (event.id, event.time))
    rows.spelled[row], rows.features[row] = bytes(event.id)[1:-1], bytes(event.features)

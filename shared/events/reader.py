"""Bytes of events -> columns; whatever is not accepted is for the contract to judge."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from shared.events.columns import Events
from shared.events.fields import Field
from shared.events.general import GeneralDecoder
from shared.events.vocabulary import LIMIT, Vocabulary

if TYPE_CHECKING:
    from shared.events.compiled import CompiledDecoder

PADDING = b"\0" * 64  # compiled code looks ahead: by a word, and by the length of a time


class EventReader:
    """Reads the events of one declaration; only ever accepts what the contract accepts.

    Args:
        fields: the features, in the order of the columns.
        kernels: whether records that look like earlier ones are read by compiled code, where
            numba is installed.
        limit: how many texts the open categories together may have before their codes start anew.

    """

    def __init__(
        self, fields: Sequence[Field], *, kernels: bool = True, limit: int = LIMIT
    ) -> None:
        self.fields = tuple(fields)
        self._vocabulary = Vocabulary(fields, limit)
        self._general = GeneralDecoder(fields, self._vocabulary)
        self._compiled = _compiled(self.fields) if kernels else None

    def read(self, values: Sequence[bytes | None]) -> Events:
        """Read n values into columns; None and what the contract refuses is not accepted."""
        self._vocabulary.renew()
        present = [value or b"" for value in values]
        starts = np.zeros(len(present) + 1, dtype=np.int64)
        np.cumsum(np.fromiter(map(len, present), np.int64, len(present)), out=starts[1:])
        buffer = b"".join((*present, PADDING))
        events = Events.blank(buffer, len(present), self._vocabulary.texts)
        if self._compiled is None:
            self._general.fill(events, present, starts, range(len(present)))
        else:
            rows = self._compiled.fill(events, starts)
            self._general.fill(events, present, starts, rows.tolist())
        return events

    def warm(self) -> None:
        """Compile the kernels, or load them from their cache; the first batch need not wait then.

        Takes seconds where nothing is cached. What this reader has learnt stays as it is.
        """
        if self._compiled is not None:
            sample = msgspec.json.encode(
                {
                    "id": "x",
                    "time": "2000-01-01T00:00:00Z",
                    "features": {field.name: _some_value(field) for field in self.fields},
                }
            )
            other = EventReader(self.fields)
            for _ in range(3):  # its texts become known, then its template
                other.read([sample])


def _some_value(field: Field) -> bool | float | str:
    if field.kind == "category":
        return field.categories[0] if field.categories else "x"
    if field.kind == "bool":
        return True
    low = -math.inf if field.low is None else field.low
    high = math.inf if field.high is None else field.high
    number = min(max(0.0, low), high)
    return math.ceil(number) if field.kind == "int" else number


def _compiled(fields: Sequence[Field]) -> CompiledDecoder | None:
    try:
        from shared.events.compiled import CompiledDecoder
    except ModuleNotFoundError:
        return None
    return CompiledDecoder(fields)

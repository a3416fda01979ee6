"""Bytes of events -> columns; whatever is not accepted is for the contract to judge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from shared.events.columns import Events
from shared.events.fields import Field
from shared.events.general import GeneralDecoder
from shared.events.vocabulary import LIMIT, Vocabulary

if TYPE_CHECKING:
    from shared.events.compiled import CompiledDecoder

PADDING = b"\0" * 64  # compiled code looks ahead: by a word, and by the length of a time
EVERY_KIND = (
    Field("whole", "int"),
    Field("number", "float", nullable=True),
    Field("flag", "bool"),
    Field("text", "category"),
)
SAMPLE = (
    b'{"id":"x","time":"2000-01-01T00:00:00Z",'
    b'"features":{"whole":1,"number":0.5,"flag":true,"text":"x"}}'
)

_compiled: list[type[CompiledDecoder]] = []


def load() -> None:
    """Load the compiled decoder, or compile it; readers use it from then on.

    Takes a second, and many where nothing is cached: never on the event loop. Without numba
    nothing happens.
    """
    try:
        from shared.events.compiled import CompiledDecoder
    except ModuleNotFoundError:
        return
    first = EventReader(EVERY_KIND)
    first.decoder = CompiledDecoder(EVERY_KIND)
    for _ in range(3):  # its texts become known, then its template
        first.read([SAMPLE])
    _compiled[:] = [CompiledDecoder]


class EventReader:
    """Reads the events of one declaration; only ever accepts what the contract accepts.

    Args:
        fields: the features, in the order of the columns.
        kernels: whether compiled code reads what it can, once it is loaded.
        limit: how many texts the open categories together may have before their codes start anew.

    """

    def __init__(
        self, fields: Sequence[Field], *, kernels: bool = True, limit: int = LIMIT
    ) -> None:
        self.fields, self.kernels = tuple(fields), kernels
        self.decoder: CompiledDecoder | None = None
        self._vocabulary = Vocabulary(fields, limit)
        self._general = GeneralDecoder(fields, self._vocabulary)

    def read(self, values: Sequence[bytes | None]) -> Events:
        """Read n values into columns; None and what the contract refuses is not accepted."""
        if self.decoder is None and self.kernels and _compiled:
            self.decoder = _compiled[0](self.fields)
        self._vocabulary.renew()
        present = [value or b"" for value in values]
        starts = np.zeros(len(present) + 1, dtype=np.int64)
        np.cumsum(np.fromiter(map(len, present), np.int64, len(present)), out=starts[1:])
        buffer = b"".join((*present, PADDING))
        events = Events.blank(buffer, len(present), self._vocabulary.texts)
        if self.decoder is None:
            self._general.fill(events, present, starts, range(len(present)))
        else:
            rows = self.decoder.fill(events, starts)
            self._general.fill(events, present, starts, rows.tolist())
        return events

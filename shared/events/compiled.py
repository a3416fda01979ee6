"""The compiled decoders: templates learnt as records come, and any other layout."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shared.events.columns import Events
from shared.events.fields import Field
from shared.events.freeform import fill_freeform
from shared.events.kernel import Targets, fill
from shared.events.template import (
    ID,
    KINDS,
    OPENING,
    SPANS,
    TIME,
    Template,
    cells_of,
    template_of,
)
from shared.events.texts import TextTable

TEMPLATES = 4


class CompiledDecoder:
    """Accepts records of printable ASCII without escapes whose texts are in the vocabulary."""

    def __init__(self, fields: Sequence[Field]) -> None:
        self._fields = fields
        self._templates: list[Template] = []
        self._texts, self._names = TextTable(), TextTable()
        self._names.follow((["id", "time", "features"], [field.name for field in fields]))
        outer = [(kind, SPANS[kind]) for kind in (ID, TIME, OPENING)]
        columns = [(KINDS[field.kind], column) for column, field in enumerate(fields)]
        self._cells = cells_of([*outer, *columns], fields)

    def fill(self, events: Events, starts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Fill the rows of `events` that are accepted; name the others."""
        rows = np.arange(len(events))
        self._texts.follow(events.vocabulary)
        buffer = np.frombuffer(events.buffer, dtype=np.uint8)
        texts = self._texts.table
        targets = Targets(events.accepted, events.spans, events.time_us, events.matrix)
        for template in tuple(self._templates):
            before = len(rows)
            rows = fill(buffer, starts, rows, template, texts, targets)
            if len(rows) < before:
                self._prefer(template)
            if not len(rows):
                return rows
        left = fill_freeform(buffer, starts, rows, self._cells, self._names.table, texts, targets)
        taken = rows[events.accepted[rows]]
        if len(taken):
            first, last = starts[taken[-1]], starts[taken[-1] + 1]
            self._prefer(template_of(events.buffer[first:last], self._fields))
        return left

    def _prefer(self, template: Template) -> None:
        """Try this template first from now on; forget the one that fitted longest ago."""
        others = [other for other in self._templates if other is not template]
        self._templates = [template, *others][:TEMPLATES]

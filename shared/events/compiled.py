"""The compiled decoder: a few templates, learnt as records come, and the texts met so far."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shared.events.columns import Events
from shared.events.fields import Field
from shared.events.kernel import Targets, fill
from shared.events.template import Template, template_of
from shared.events.texts import TextTable

TEMPLATES = 4


class CompiledDecoder:
    """Accepts records that differ in their values alone from one that was accepted before."""

    def __init__(self, fields: Sequence[Field]) -> None:
        self._fields = fields
        self._templates: list[Template] = []
        self._table = TextTable()

    def fill(self, events: Events, starts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Fill the rows of `events` that fit a template; name those that do not."""
        rows = np.arange(len(events))
        self._table.follow(events.vocabulary)
        buffer = np.frombuffer(events.buffer, dtype=np.uint8)
        targets = Targets(events.accepted, events.spans, events.time_us, events.matrix)
        for template in tuple(self._templates):
            before = len(rows)
            if before == 0:
                break
            rows = fill(
                buffer, starts, rows, template, self._table.slots, self._table.arena, targets
            )
            if len(rows) < before and template is not self._templates[0]:
                self._prefer(template)
        return rows

    def learn(self, value: bytes) -> None:
        """Take an accepted record that fitted no template as the pattern of those to come."""
        template = template_of(value, self._fields)
        if template and not any(map(template.resembles, self._templates)):
            self._prefer(template)

    def _prefer(self, template: Template) -> None:
        others = [other for other in self._templates if other is not template]
        self._templates = [template, *others][:TEMPLATES]

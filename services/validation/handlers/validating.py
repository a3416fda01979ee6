"""A batch of one model's events or labels: read, recall, settle, tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from services.validation.domain.contents import NULL, contents
from services.validation.domain.copies import names_of, seen
from services.validation.domain.judgement import REUSED, Faulty
from services.validation.domain.keys import Keys
from services.validation.domain.quality import Counts, Fate, Rows
from services.validation.handlers.counting import Counting
from services.validation.handlers.declared import Declared, Known
from services.validation.handlers.examining import Limits, examine
from services.validation.handlers.telling import Speaker
from services.validation.ports import Marks, Memory
from shared.kafka import Batch, Block, Names, Told
from shared.telemetry import CounterName, Telemetry

COUNTERS: Mapping[Fate, CounterName] = {
    Fate.DUPLICATE: "records_duplicate",
    Fate.QUARANTINED: "records_quarantined",
}


async def validate(
    batch: Batch,
    *,
    declared: Declared,
    memory: Memory,
    names: Names,
    limits: Limits,
    telemetry: Telemetry,
) -> Told:
    """Judge a batch of one model's events or labels; without its declaration, wait for it."""
    known = declared.models.get(batch.model)
    if known is None:
        if batch.model not in declared.missed:
            declared.missed.add(batch.model)
            telemetry.log.warning("%s: %s wait for its declaration", batch.model, batch.kind)
        return Told(held=batch.starts())
    work = Work(batch, known, names, limits)

    remembered, values = await memory.recall(*work.question)

    settled = work.settled(remembered, values)
    settled.told.after.append(partial(memory.remember, settled.marks, settled.state))
    for fate, counter in COUNTERS.items():
        telemetry.count(counter, batch.kind, int(settled.fates[fate]))
    return settled.told


@dataclass(frozen=True, slots=True)
class Settled:
    """What a batch leads to.

    Attributes:
        told: to be told.
        marks: ids to be remembered once that is safe.
        state: counts to be remembered with them.
        fates: (fates,) how many records of each fate were counted for the first time.

    """

    told: Told
    marks: Marks
    state: Mapping[bytes, bytes]
    fates: Counts


class Work:
    """One batch on its way from bytes to verdicts, counts and messages."""

    def __init__(self, batch: Batch, known: Known, names: Names, limits: Limits) -> None:
        self.records, self.at = batch.records, Keys(batch.model, batch.kind)
        self.correctable = batch.kind == "labels"
        self.speaker = Speaker(batch, known, names, limits)
        self.columns, self.faulty = examine(self.records, known.streams[batch.kind], limits)
        columns, sound = self.columns, self.columns.sound
        self.names = names_of(compress(columns.ids, sound.tolist()))
        self.contents = contents(columns.time_us[sound], columns.cells[sound])
        spec = known.declaration.spec
        self.counting = Counting(self.at, batch.runs, columns.time_ms, spec)

    @property
    def question(self) -> tuple[bytes, bytes, list[bytes]]:
        """What must be recalled before the batch can be settled."""
        return self.at.ids(), b"".join(self.names), self.counting.keys

    def settled(self, remembered: bytes, values: Sequence[bytes | None]) -> Settled:
        """Bring every record to its end.

        Args:
            remembered: contents of the ids in question.
            values: of the keys in question.

        """
        fates = self._fates(np.frombuffer(remembered, dtype=np.uint64))
        valid = fates == Fate.VALID
        counted = self.counting.counted(self._rows(fates), values)
        told = Told(
            [self.speaker.quarantined(self.records[row], self.faulty[row]) for row in self.faulty],
            events=[self.speaker.measured(closing) for closing in counted.closings],
        )
        if valid.any():
            told.blocks.append(self._validated(valid))
        return Settled(told, self._marks(valid), counted.state, counted.fates)

    def _fates(self, remembered: NDArray[np.uint64]) -> NDArray[np.int8]:
        said = seen(self.names, self.contents, remembered, correctable=self.correctable)
        # Another label under the same id is a correction, another event is a mistake.
        other = Fate.VALID if self.correctable else Fate.QUARANTINED
        fates = np.full(len(self.records), Fate.QUARANTINED, dtype=np.int8)
        sound = np.flatnonzero(self.columns.sound)
        fates[sound] = np.array([Fate.VALID, Fate.DUPLICATE, other], dtype=np.int8)[said]
        for row in sound[fates[sound] == Fate.QUARANTINED].tolist():
            self.faulty[row] = Faulty((REUSED,))
        self.faulty = dict(sorted(self.faulty.items()))
        return fates

    def _rows(self, fates: NDArray[np.int8]) -> Rows:
        return Rows(
            self.counting.times,
            fates,
            self.columns.cells == NULL,
            self.columns.names,
            {row: faulty.rules for row, faulty in self.faulty.items()},
        )

    def _validated(self, valid: NDArray[np.bool_]) -> Block:
        chosen, columns = valid.tolist(), self.columns
        return self.speaker.validated(
            list(compress(self.records, chosen)),
            list(compress(columns.ids, chosen)),
            list(compress(columns.times, chosen)),
            self.contents[valid[columns.sound]].tolist(),
        )

    def _marks(self, valid: NDArray[np.bool_]) -> Marks:
        new = valid[self.columns.sound]
        names = b"".join(compress(self.names, new.tolist()))
        return Marks(self.at.ids(), names, self.contents[new].tobytes())

"""What is remembered of ids -> outcomes, windows and corrections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
import numpy as np

from contracts.data import OUTCOMES
from services.monitor.domain.labels import OUTCOME, Label, Outcomes, Remembered, joined
from services.monitor.domain.sums import Measured, losses_of
from services.monitor.domain.tallies import Windows
from services.monitor.handlers.cells import placed
from services.monitor.handlers.closing import Closing, unpacked
from services.monitor.handlers.outcomes import Writer
from services.monitor.handlers.payloads import Floats, Payloads
from services.monitor.handlers.reading import Read, read
from services.monitor.ports import Claimed, Counted
from shared.errors import Rejected
from shared.kafka import Block, Position, Record, Told


class Change(NamedTuple):
    """A label that came after its prediction was joined: its record, and what it changes."""

    cause: Record
    label: Label
    known: Remembered
    prediction: Record


@dataclass(frozen=True, slots=True)
class Settling:
    """Settles predictions and late labels of one model.

    Attributes:
        payloads: of its declaration.
        closing: tells windows; knows store and log.

    """

    payloads: Payloads
    closing: Closing

    async def outcomes(
        self, ready: Read, end: int, claim: Claimed, position: Position
    ) -> Told | None:
        """Count and write the outcomes of predictions that were claimed.

        Args:
            ready: the predictions.
            end: offset up to which their partition is done with.
            claim: what the store knew of them.
            position: of the partition.

        Returns:
            None where somebody else has counted the partition meanwhile.

        """
        outcomes = joined(claim.records, ready.offsets, ready.times + self.payloads.span)
        measured = await self._measured(ready, outcomes)
        windows = unpacked(claim.windows)
        late = self._count(windows, outcomes, measured, claim)
        if end > claim.places.predictions:
            packed = msgspec.msgpack.encode(windows)
            counted = Counted(position.partition, claim.places.predictions, end, packed)
            if not all(await self.closing.store.count(self.payloads.model, [counted])):
                return None
        self._account(position.topic, len(ready.rows), outcomes, late, claim.unmatched)
        passed = windows.newest - self.payloads.lateness
        told = await self.closing.passed(self.payloads, position.partition, windows, passed)
        fresh = outcomes["recent"] | (measured.offsets >= claim.places.told_predictions)
        told.blocks = self._blocks(ready, outcomes[fresh], measured.losses[fresh])
        return told

    async def corrections(
        self, labels: Read, values: Floats, remembered: Mapping[int, bytes]
    ) -> list[Block]:
        """Write anew the outcomes that labels have changed after they were told.

        Args:
            labels: n labels of one partition.
            values: (n,) as numbers.
            remembered: row of a label -> what is known of its id, where it was joined already.

        """
        changes = await self._changes(labels, values, remembered)
        predictions = read([change.prediction for change in changes], self.payloads.prediction)
        if predictions.parked:
            raise Rejected(f"its prediction: {predictions.parked[0].reason}")
        deadlines = (predictions.times + self.payloads.span).tolist()
        chosen = [
            (row, change.label.value, change.label.time, True, True)
            for row, (change, deadline) in enumerate(zip(changes, deadlines, strict=True))
            if change.label in change.known.corrections(deadline)
        ]
        if not chosen:
            return []
        outcomes = np.array(chosen, OUTCOME)
        losses = _losses(predictions, outcomes, self.payloads)
        return self._blocks(predictions, outcomes, losses, [change.cause for change in changes])

    async def _changes(
        self, labels: Read, values: Floats, remembered: Mapping[int, bytes]
    ) -> list[Change]:
        """Find labels that came after the join, and the predictions that they are about."""
        late: list[tuple[Record, Label, Remembered]] = []
        for row, packed in sorted(remembered.items()):
            cause, known = labels.records[row], Remembered.unpacked(packed)
            label = Label(int(labels.times[row]), float(values[row]), cause.offset)
            if label.offset >= known.joined_at and label in known.labels:
                late.append((cause, label, known))
        if not late:
            return []
        model = self.payloads.model
        where, _ = self.closing.placing.positions(model, late[0][0].partition)
        predictions = await self.closing.log.records(where, [one.prediction for *_, one in late])
        found = [
            Change(cause, label, known, predictions[known.prediction])
            for cause, label, known in late
            if known.prediction in predictions
        ]
        self.closing.telemetry.count("labels_too_late", model, len(late) - len(found))
        return found

    async def _measured(self, predictions: Read, outcomes: Outcomes) -> Measured:
        """Measure outcomes, in columns."""
        rows = [predictions.rows[row] for row in outcomes["row"].tolist()]
        slices = self.payloads.slices
        versions = [row.version for row in rows]
        scores, labels = _scores(predictions, outcomes), self.payloads.known(outcomes["value"])
        terms = self.payloads.terms(scores, labels)
        watched = {
            version: await self.closing.watches.of(self.payloads.model, version)
            for version in dict.fromkeys(versions)
        }
        return Measured(
            predictions.offsets[outcomes["row"]],
            predictions.times[outcomes["row"]],
            versions,
            {name: [_text(getattr(row.sliced, name)) for row in rows] for name in slices},
            terms,
            *placed(versions, watched, scores, labels, terms[2]),
        )

    def _count(
        self, windows: Windows, outcomes: Outcomes, measured: Measured, claim: Claimed
    ) -> int:
        """Add to the windows what they do not hold yet; corrections come too late for them."""
        new = ~outcomes["corrected"] & (measured.offsets >= claim.places.predictions)
        rows = measured.only(np.flatnonzero(new))
        return windows.count(rows, self.payloads.window, self.payloads.lateness)

    def _account(
        self, topic: str, predictions: int, outcomes: Outcomes, late: int, unmatched: int
    ) -> None:
        first = outcomes[~outcomes["corrected"]]
        labelled = int((~np.isnan(first["value"])).sum())
        self.closing.telemetry.count("records_duplicate", topic, predictions - len(first))
        self.closing.telemetry.count("outcomes_uncounted", self.payloads.model, late)
        self.closing.matched(self.payloads.model, labelled, unmatched)

    def _blocks(
        self,
        predictions: Read,
        outcomes: Outcomes,
        losses: Floats,
        causes: Sequence[Record] | None = None,
    ) -> list[Block]:
        if not len(outcomes):
            return []
        topic = self.closing.placing.names.data(OUTCOMES, self.payloads.model)
        return [Writer(topic, self.payloads).block(predictions, outcomes, losses, causes)]


def _scores(predictions: Read, outcomes: Outcomes) -> Floats:
    rows = predictions.rows
    return np.array([rows[row].score for row in outcomes["row"].tolist()], dtype=np.float64)


def _losses(predictions: Read, outcomes: Outcomes, payloads: Payloads) -> Floats:
    labels = payloads.known(outcomes["value"])
    return losses_of(payloads.terms(_scores(predictions, outcomes), labels))


def _text(value: bool | str | None) -> str | None:
    return str(value).lower() if isinstance(value, bool) else value

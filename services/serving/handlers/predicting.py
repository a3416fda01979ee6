"""events.validated -> predictions."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from contracts.data import PREDICTIONS
from services.serving.domain.answers import Rule, Scores
from services.serving.domain.predictions import Writer
from services.serving.domain.timeline import Plan
from services.serving.handlers.reading import Rows, read
from services.serving.handlers.releases import Release, Releases
from services.serving.inference.opening import deciding
from services.serving.ports import Library
from shared.kafka import Batch, Block, Headers, Names, Parked, Record, Told
from shared.models import Model
from shared.telemetry import Telemetry

ENVELOPE = 6  # headers that validation gives an event whose user gave none
REPLACED = ("ce_", "content-type", "traceparent")  # the wrapper carries the trace on


async def predict(
    batch: Batch, *, releases: Releases, names: Names, telemetry: Telemetry, inline_us: float
) -> Told:
    """Answer a batch of one model's events; without its first plan, wait for it."""
    topic = names.data(PREDICTIONS, batch.model)
    while (release := releases.get(batch.model)) is not None:
        answering = Answering(release, releases.library, topic, inline_us)
        told = await answering.answered(batch.records)
        # A version that was withdrawn in the meantime must not decide.
        if releases.get(batch.model) is release:
            telemetry.count("predictions", batch.model, sum(map(len, told.blocks)))
            if told.parked:
                telemetry.log.error("%s: %s", batch.model, told.parked[0].reason)
            return told
    return Told(held=batch.starts())


class Answering:
    """Events of one model to predictions, each by the plan in force when it was appended."""

    def __init__(self, release: Release, library: Library, topic: str, inline_us: float) -> None:
        self.release, self.library, self.topic = release, library, topic
        self.inline_us = inline_us

    async def answered(self, records: Sequence[Record]) -> Told:
        """Answer events, those of a partition in their order."""
        rows, parked = read(records, self.release.reader)
        blocks = []
        for index, part in self._by_plan(rows):
            plan, model = await deciding(self.release, self.library, index)
            scores = await self._scored(plan, model, part)
            part, scores, broken = usable(self.release.rule, plan, part, scores)
            blocks.append(self._block(plan, part, scores))
            parked += broken
        return Told(blocks=by_partition(blocks), parked=parked)

    def _by_plan(self, rows: Rows) -> Iterator[tuple[int, Rows]]:
        """Part events by the plan that decides them."""
        times = np.fromiter((r.timestamp for r in rows.records), np.float64, len(rows))
        indices = self.release.timeline.all_in_force(times)
        different = np.unique(indices).tolist()
        for index in different:
            chosen = np.flatnonzero(indices == index).tolist()
            yield index, rows if len(different) == 1 else rows.at(chosen)

    async def _scored(self, plan: Plan, model: Model, rows: Rows) -> Scores:
        matrix = rows.matrix
        if model.columns is not None:
            alignment = self.release.alignment(plan, model.columns)
            matrix = alignment.matrix(matrix, rows.vocabulary)
            for row, features in rows.loose.items():
                matrix[row] = model.columns.matrix([features])[0]
        if len(rows) * model.row_us <= self.inline_us:
            return scored(model, matrix)
        return await asyncio.to_thread(scored, model, matrix)

    def _block(self, plan: Plan, rows: Rows, scores: Scores) -> Block:
        rule, name = self.release.rule, self.release.declaration.name
        writer = Writer.of(PREDICTIONS.name(name), name, plan.version, plan.plan_id, rule.answers)
        return Block(
            self.topic,
            None,
            [record.key or text for record, text in zip(rows.records, rows.ids, strict=True)],
            writer.values(rows.spelled, rows.times, rows.features, scores, rule.choices(scores)),
            carried(rows.records, Headers(writer.fixed, writer.attributes(rows.ids, rows.times))),
            rows.records,
        )


def scored(model: Model, matrix: Any) -> Scores:
    """Score rows; an overflow is no warning here, for its result is looked at."""
    with np.errstate(all="ignore"):
        return model.scores(matrix)


def usable(rule: Rule, plan: Plan, rows: Rows, scores: Scores) -> tuple[Rows, Scores, list[Parked]]:
    """Part events that were given numbers from those that were not."""
    good = rule.usable(scores)
    if good.all():
        return rows, scores, []
    parked = [
        Parked(
            rows.records[row],
            "bug",
            f"version {plan.version} answers {scores[row].tolist()}, no number",
        )
        for row in np.flatnonzero(~good).tolist()
    ]
    return rows.at(np.flatnonzero(good).tolist()), scores[good], parked


def carried(records: Sequence[Record], headers: Headers) -> Headers:
    """Put what the users' own headers said before what serving says."""
    given = {
        row: [(n, v or b"") for n, v in record.headers if not n.startswith(REPLACED)]
        for row, record in enumerate(records)
        if len(record.headers) != ENVELOPE
    }
    return headers.but({row: own + headers[row] for row, own in given.items() if own})


def by_partition(blocks: Sequence[Block]) -> list[Block]:
    """Part what was answered by partition, each in the order of the records that caused it."""
    if not blocks:
        return []
    whole = blocks[0] if len(blocks) == 1 else _in_order(blocks)
    partitions = [cause.partition for cause in whole.causes if cause is not None]
    cuts = [0, *(np.flatnonzero(np.diff(partitions)) + 1).tolist(), len(partitions)]
    return [whole.part(start, end, partitions[start]) for start, end in pairwise(cuts) if end]


def _in_order(blocks: Sequence[Block]) -> Block:
    """Join blocks, in the order of the records that caused them."""
    joined = Block(
        blocks[0].topic,
        None,
        [key for block in blocks for key in block.keys],
        [value for block in blocks for value in block.values],
        Headers.each([block.headers[row] for block in blocks for row in range(len(block))]),
        [cause for block in blocks for cause in block.causes],
    )
    places = [(cause.partition, cause.offset) for cause in joined.causes if cause is not None]
    return joined.rows(sorted(range(len(places)), key=places.__getitem__), None)

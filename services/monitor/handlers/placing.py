"""Where to read from: after a restart, a rebalance, and when the store has lost something."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace

import msgspec

from contracts.data import LABELS_VALIDATED, PREDICTIONS
from services.monitor.domain.tallies import Windows, start_of
from services.monitor.handlers.catalog import Catalog
from services.monitor.handlers.payloads import TIMED, Payloads
from services.monitor.handlers.reading import read
from services.monitor.ports import Log, Places, Store
from shared.kafka import Names, Position


class Placing:
    """Finds the offsets of both topics from which a partition of a model is read.

    Reading goes on at the lower of the group's commit and the store's own place, which is written
    together with the data. Where the store knows no place, its data is gone too: then predictions
    are read again from the declared grace before the commit (two windows, if longer), and labels
    from as much earlier, without publishing what was published before.

    Args:
        names: real topic names.
        catalog: declarations.
        store: knows places.
        log: knows commits.
        group: the consumer group that joins.

    """

    def __init__(
        self, *, names: Names, catalog: Catalog, store: Store, log: Log, group: str
    ) -> None:
        self.names, self.catalog, self.store, self.log = names, catalog, store, log
        self.group = names.group(group)
        self.owned: set[tuple[str, int]] = set()

    def positions(self, model: str, partition: int) -> tuple[Position, Position]:
        """Name a partition of the model's predictions and the one of its labels."""
        topics = (self.names.data(topic, model) for topic in (PREDICTIONS, LABELS_VALIDATED))
        predictions, labels = (Position(topic, partition) for topic in topics)
        return predictions, labels

    async def assigned(self, positions: Collection[Position]) -> dict[Position, int]:
        """Take over partitions; say which to read from before their commit.

        The others are left where they are: their records may be on their way already.
        """
        pattern = self.names.pattern(PREDICTIONS)
        found = ((re.fullmatch(pattern, topic), partition) for topic, partition in positions)
        self.owned = {(match[1], partition) for match, partition in found if match}
        seeks: dict[Position, int] = {}
        for model, partition in sorted(self.owned):
            payloads = self.catalog.payloads(model)
            if payloads is None:
                continue  # Nothing of it is read before it is declared.
            places = await self._found(payloads, partition)
            seeks |= {position: place for position, commit, place in places if place < commit}
        return {position: place for position, place in seeks.items() if position in positions}

    async def seeks(self, payloads: Payloads, partition: int) -> dict[Position, int]:
        """Find where to read a partition from; afterwards the store knows its place."""
        found = await self._found(payloads, partition)
        return {position: min(commit, place) for position, commit, place in found}

    async def _found(self, payloads: Payloads, partition: int) -> list[tuple[Position, int, int]]:
        """Find a partition's commits and the store's places, made anew where it has none."""
        model, pair = payloads.model, self.positions(payloads.model, partition)
        commits = await self.log.committed(self.group, pair)
        bounds = await self.log.bounds(pair)
        committed = [max(commits.get(position, 0), bounds[position][0]) for position in pair]
        places = await self.store.places(model, partition)
        if places is None:
            places = await self._rebuilt(payloads, partition, committed[0], committed[1])
        # What retention has deleted cannot be waited for.
        known = (places.predictions, places.labels)
        first = [
            max(place, bounds[position][0]) for place, position in zip(known, pair, strict=True)
        ]
        if tuple(first) != known:
            moved = replace(places, predictions=first[0], labels=first[1])
            await self.store.place(model, partition, moved)
        return list(zip(pair, committed, first, strict=True))

    async def _rebuilt(
        self, payloads: Payloads, partition: int, outcomes: int, kept: int
    ) -> Places:
        """Start the store's data of a partition anew, early enough for corrections and windows.

        Args:
            payloads: of the model.
            partition: of both topics.
            outcomes: committed offset of the predictions.
            kept: committed offset of the labels.

        """
        predictions, labels = self.positions(payloads.model, partition)
        reach_ms = max(1000 * payloads.grace_s, 2 * payloads.window // 1000)
        last = await self.log.record(predictions, outcomes - 1) if outcomes else None
        starts, windows = [0, 0], Windows()
        if last is not None:
            since = last.timestamp - reach_ms
            starts[0] = min(outcomes, await self.log.offset_at(predictions, since))
            starts[1] = min(kept, await self.log.offset_at(labels, since - reach_ms))
            windows.closed = await self._first_whole_window(payloads, predictions, starts[0])
        bounds = await self.log.bounds((predictions, labels))
        places = Places(
            max(starts[0], bounds[predictions][0]),
            max(starts[1], bounds[labels][0]),
            outcomes,
            kept,
        )
        packed = msgspec.msgpack.encode(windows)
        await self.store.place(payloads.model, partition, places, packed)
        return places

    async def _first_whole_window(
        self, payloads: Payloads, predictions: Position, start: int
    ) -> int:
        """Find the window after the one that `start` lies in: that one would be counted in part."""
        record = await self.log.record(predictions, start)
        if start == 0 or record is None:
            return Windows().closed
        times = read([record], TIMED.decode).times
        if not len(times):
            return await self._first_whole_window(payloads, predictions, record.offset + 1)
        return start_of(int(times[0]), payloads.window) + payloads.window

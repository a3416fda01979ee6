"""Counted windows -> window.counted, when no prediction of their time can come any more."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import partial

import msgspec

from contracts.base import Window
from contracts.performance import Tally, VersionTally, WindowCounted
from services.monitor.domain.sums import Sums, VersionSums
from services.monitor.domain.tallies import Windows, WindowSums
from services.monitor.domain.watermarks import NEVER, model_watermark
from services.monitor.handlers.payloads import Payloads, moment
from services.monitor.handlers.placing import Placing
from services.monitor.handlers.watching import Watches
from services.monitor.ports import Counted, Due, Log, Store
from shared.clock import Clock
from shared.kafka import Position, Told
from shared.telemetry import Telemetry

SUSPICIOUS = 200


@dataclass(frozen=True, slots=True)
class Waiting:
    """A prediction that is not due yet.

    Attributes:
        model: whose it is.
        offset: in its partition.
        time: its event time, microseconds.

    """

    model: str
    offset: int
    time: int


class Closing:
    """Tells complete windows: those a cursor has passed, and those of partitions at their end.

    Args:
        telemetry: of the service.
        store: keeps the windows.
        log: knows how many partitions there are, and where they end.
        placing: knows which partitions are ours.
        clock: wall time, for idle partitions.
        idle_s: wall seconds after which a silent partition holds up no watermark.
        watches: know the cells of each version.

    Attributes:
        waiting: partition of predictions -> the one at which its cursor stands until it is due.
        reached: model -> watermark that was found last; at most one sweep old.

    """

    def __init__(
        self,
        *,
        telemetry: Telemetry,
        store: Store,
        log: Log,
        placing: Placing,
        clock: Clock,
        idle_s: float,
        watches: Watches,
    ) -> None:
        self.telemetry, self.watches = telemetry, watches
        self.store, self.log, self.placing = store, log, placing
        self.clock, self.idle_s = clock, idle_s
        self.waiting: dict[Position, Waiting] = {}
        self.reached: dict[str, int] = {}
        self._closed: dict[tuple[str, int], int] = {}
        self._matched: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))

    async def watermark(self, model: str) -> int:
        """Find how far event time has come, microseconds."""
        heard, held = await self.store.heard(model)
        now = self.clock().timestamp()
        self.reached[model] = model_watermark(heard, held=held, now=now, idle_s=self.idle_s)
        return self.reached[model]

    async def passed(
        self, payloads: Payloads, partition: int, windows: Windows, passed: int
    ) -> Told:
        """Tell the windows of a partition that end by `passed`, microseconds."""
        done = windows.complete(passed, payloads.window) if passed > NEVER else []
        if not done:
            return Told()
        topic = self.placing.positions(payloads.model, partition)[0].topic
        partitions = await self.log.partitions(topic)
        closed = done[-1][0] + payloads.window
        return Told(
            events=[counted(payloads, partition, partitions, start, sums) for start, sums in done],
            after=[partial(self._drop, payloads.model, partition, closed)],
        )

    async def sweep(self) -> Told:
        """Tell the windows of partitions that say nothing themselves: idle, empty, or waiting."""
        told = Told()
        for model in sorted({model for model, _ in self.placing.owned}):
            payloads = self.placing.catalog.payloads(model)
            watermark = await self.watermark(model)
            if payloads is None or watermark == NEVER:
                continue
            for partition in sorted(p for owned, p in self.placing.owned if owned == model):
                # The join moves it meanwhile: what has passed goes with where it stood.
                cursor = self.waiting.get(self.placing.positions(model, partition)[0])
                passed = watermark - payloads.span
                if cursor is not None:
                    # What follows the prediction that waits is at most so much older.
                    passed = min(passed, cursor.time - payloads.lateness)
                if passed >= self._closed.get((model, partition), NEVER) + payloads.window:
                    told.add(await self._idle(payloads, partition, cursor, passed))
        return told

    async def _idle(
        self, payloads: Payloads, partition: int, cursor: Waiting | None, passed: int
    ) -> Told:
        predictions, _ = self.placing.positions(payloads.model, partition)
        beginning, end = (await self.log.bounds([predictions]))[predictions]
        if cursor is None:
            (head,) = await self.store.heads(payloads.model, [partition])
            if head is None:
                return Told()  # The head group has yet to look at it.
            # A broker that comes back may answer with an end of before.
            end = max(end, head.offset)
        nothing = Due(
            partition, cursor.offset if cursor else end, b"", b"", passed, payloads.grace_s
        )
        (claim,) = await self.store.claim(payloads.model, [nothing])
        if claim is None and beginning < end:
            return Told()  # Its cursor has not come so far, and will tell by itself.
        if claim is not None:
            self.matched(payloads.model, 0, claim.unmatched)
        windows = unpacked(claim.windows if claim else b"")
        windows.closed = max(windows.closed, self._closed.get((payloads.model, partition), NEVER))
        return await self.passed(payloads, partition, windows, passed)

    def matched(self, model: str, matched: int, unmatched: int) -> None:
        """Count labels that found no prediction, and say what to do when they are many."""
        before = self._matched[model]
        lost, found = before[0] + unmatched, before[1] + matched
        self._matched[model] = (lost, found)
        if unmatched:
            self.telemetry.count("labels_unmatched", model, unmatched)
        if lost + found >= SUSPICIOUS:
            self._matched[model] = (0, 0)
            if lost > found:
                self.telemetry.log.warning(
                    "%d of %d labels of %s found no prediction. First suspect: the record key. A "
                    "label must carry the key of its event, or both none.",
                    *(lost, lost + found, model),
                )

    async def _drop(self, model: str, partition: int, closed: int) -> None:
        self._closed[model, partition] = max(closed, self._closed.get((model, partition), NEVER))
        places = await self.store.places(model, partition)
        if places is None:
            return
        windows = unpacked(await self.store.windows(model, partition))
        windows.drop(closed)
        packed = msgspec.msgpack.encode(windows)
        # Where another owner has counted on meanwhile, that one tells the windows again.
        new = Counted(partition, places.predictions, places.predictions, packed)
        await self.store.count(model, [new])


def unpacked(packed: bytes) -> Windows:
    """Read the store's windows of a partition; empty bytes are none."""
    return msgspec.msgpack.decode(packed, type=Windows) if packed else Windows()


def counted(
    payloads: Payloads, partition: int, partitions: int, start: int, sums: WindowSums
) -> WindowCounted:
    """Write one partition's part of a window."""
    end = start + payloads.window
    return WindowCounted.caused_by(
        f"window:{payloads.model}:{partition}:{moment(start).isoformat()}:{sums.through}",
        model=payloads.model,
        at=moment(end + payloads.span),
        window=Window(start=moment(start), end=moment(end)),
        partition=partition,
        partitions=partitions,
        through=sums.through,
        tallies=tuple(
            VersionTally(
                version=version,
                total=_tally(whole.total),
                slices={
                    feature: {value: _tally(part) for value, part in by_value.items()}
                    for feature, by_value in whole.slices.items()
                },
                residuals=tuple(whole.residuals),
                baseline=whole.baseline,
            )
            for version, whole in sorted(sums.versions.items())
        ),
    )


def heard(event: WindowCounted) -> WindowSums:
    """Read one partition's part of a window."""
    versions = {
        tally.version: VersionSums(
            _sums(tally.total),
            {
                feature: {value: _sums(part) for value, part in by_value.items()}
                for feature, by_value in tally.slices.items()
            },
            list(tally.residuals),
            tally.baseline,
        )
        for tally in event.tallies
    }
    return WindowSums(event.through, versions)


def _tally(sums: Sums) -> Tally:
    return Tally(**msgspec.structs.asdict(sums) | {"losses": tuple(sums.losses)})


def _sums(tally: Tally) -> Sums:
    return Sums(**dict(tally) | {"losses": list(tally.losses)})

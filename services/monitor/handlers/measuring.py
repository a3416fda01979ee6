"""window.counted, predictions.counted, quality.measured -> performance, drift and alerts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import msgspec

from contracts import Event
from contracts.alerts import AlertRaised, AlertResolved
from contracts.declaration import Declaration
from contracts.performance import (
    DriftDetected,
    DriftMeasured,
    PerformanceMeasured,
    PredictionsCounted,
    WindowCounted,
)
from contracts.quality import QualityMeasured
from services.monitor.domain.ledger import IntakeCounts, Ledger
from services.monitor.handlers import heads
from services.monitor.handlers.catalog import Catalog
from services.monitor.handlers.closing import heard
from services.monitor.handlers.judging import Judging
from services.monitor.handlers.payloads import microseconds
from services.monitor.handlers.performance import measured
from services.monitor.handlers.watching import Watches
from services.monitor.ports import Log, Store
from shared.errors import Transient
from shared.kafka import Position, Told
from shared.telemetry import Telemetry

# What so many messages have led to is remembered: no batch of the group may hold more.
REMEMBERED = 16
TOLD: dict[str, type[Event]] = {
    kind.__name__: kind
    for kind in (PerformanceMeasured, DriftMeasured, DriftDetected, AlertRaised, AlertResolved)
}

Hear = Callable[[Ledger], None]
Judge = Callable[[Ledger, Judging], Sequence[Event]]
Counted = PredictionsCounted | WindowCounted | QualityMeasured


@dataclass(slots=True)
class Measuring:
    """Puts the parts of windows together, one message at a time.

    Attributes:
        telemetry: of the service.
        store: keeps a ledger per model.
        log: knows commits.
        catalog: declarations and champions.
        watches: know the baseline of each version.
        positions: of all that is read; read again from the start when the ledgers are lost.
        group: the consumer group that reads them.
        wrote: this process has written a ledger since it read from the start.

    """

    telemetry: Telemetry
    store: Store
    log: Log
    catalog: Catalog
    watches: Watches
    positions: Sequence[Position]
    group: str
    wrote: bool = False

    async def take(self, event: Counted, hear: Hear, judge: Judge) -> Told:
        """Let one message change the ledger of its model, and tell what that shows.

        Where the champion's baseline is not there yet, windows wait in the ledger: later messages
        tell what they show, and other models go on.
        """
        declaration = self.catalog.declaration(event.model)
        if declaration is None:
            raise Transient(f"waiting for the declaration of {event.model}")
        packed = await self.store.ledger(event.model)
        if packed is None and await self._lost():
            # Goes on until the commits are back at the beginning: then nothing is lost any more.
            return Told(held=dict.fromkeys(self.positions, 0))
        ledger = msgspec.msgpack.decode(packed, type=Ledger) if packed else Ledger()
        if event.event_id in ledger.told:
            return Told(events=[_read(*told) for told in ledger.told[event.event_id]])
        hear(ledger)
        judging = await self._judging(declaration, ledger)
        events = [*judging.begin(event.window), *judge(ledger, judging)] if judging else []
        if events:
            ledger.remember(event.event_id, [_written(told) for told in events], REMEMBERED)
        # Written before it is published: a copy of this event finds what it has led to.
        if not await self.store.write_ledger(event.model, msgspec.msgpack.encode(ledger), packed):
            raise Transient(f"somebody else merges the windows of {event.model}")
        self.wrote = True
        return Told(events=events)

    async def _judging(self, declaration: Declaration, ledger: Ledger) -> Judging | None:
        """Find what judges the windows of a model; None while its baseline is waited for."""
        model, champion = declaration.name, self.catalog.champion(declaration.name)
        if champion and await self.watches.lack(model, [champion.version]):
            return None
        return Judging(
            declaration,
            ledger,
            champion=champion.version if champion else "",
            watched=await self.watches.of(model, champion.version) if champion else None,
            telemetry=self.telemetry,
        )

    async def _lost(self) -> bool:
        """Tell whether windows were merged before of which the store knows nothing."""
        if await self.store.knows_ledgers():
            return False
        commits = await self.log.committed(self.group, self.positions)
        if any(commits.values()) or (self.wrote and not commits):
            return True
        self.wrote = False
        return False


async def measure_outcomes(event: WindowCounted, *, measuring: Measuring) -> Told:
    """window.counted -> what complete windows of matured outcomes show."""
    return await measuring.take(
        event,
        lambda ledger: ledger.outcomes.hear(*_span(event), event.partition, heard(event)),
        partial(_judged, partitions=event.partitions),
    )


async def measure_inputs(event: PredictionsCounted, *, measuring: Measuring) -> Told:
    """predictions.counted -> what complete windows at the head show."""
    return await measuring.take(
        event,
        lambda ledger: ledger.inputs.hear(*_span(event), event.partition, heads.heard(event)),
        partial(_judged, partitions=event.partitions),
    )


def _judged(ledger: Ledger, judging: Judging, partitions: int) -> list[Event]:
    """Tell what complete windows show, those of outcomes each after the same one at the head.

    Whether data were broken then decides what drift means, also when all is read again at once.
    """
    passed = ledger.inputs.passed_by(partitions)
    told = [told for one in ledger.inputs.complete(passed) for told in judging.inputs(one)]
    windows = ledger.outcomes
    for window in windows.complete(min(windows.passed_by(partitions), ledger.inputs.merged)):
        told += measured(window, judging.declaration)
        told += judging.outcomes(window)
    return told


async def measure_intake(event: QualityMeasured, *, measuring: Measuring) -> Told:
    """quality.measured -> whether more events are refused than were before."""
    start, end = _span(event)

    def hear(ledger: Ledger) -> None:
        if event.stream != "events":
            return
        fields: dict[str, int] = {}
        for reason, n in event.reasons.items():
            name = reason.split(":")[0].removeprefix("features.")
            fields[name] = fields.get(name, 0) + n
        counts = IntakeCounts(event.through, event.received, event.quarantined, fields)
        ledger.intake.hear(start, end, event.partition, counts)

    def judge(ledger: Ledger, judging: Judging) -> list[Event]:
        if event.stream != "events":
            return []
        windows = ledger.intake
        # Partitions tell what they held, not what they did not: give each one window of time.
        complete = windows.complete(max(windows.closed.values()) - (end - start))
        return [told for window in complete for told in judging.intake(window)]

    return await measuring.take(event, hear, judge)


def _span(event: Counted) -> tuple[int, int]:
    return microseconds(event.window.start), microseconds(event.window.end)


def _written(event: Event) -> tuple[str, bytes]:
    return type(event).__name__, event.model_dump_json().encode()


def _read(kind: str, value: bytes) -> Event:
    return TOLD[kind].model_validate_json(value)

"""window.counted -> performance.measured, drift.detected."""

from __future__ import annotations

import msgspec

from contracts import Event
from contracts.base import Window
from contracts.performance import (
    DriftDetected,
    PerformanceMeasured,
    SlicePerformance,
    WindowCounted,
)
from services.monitor.domain.drift import Verdict
from services.monitor.domain.merging import Ledger, Whole
from services.monitor.domain.tallies import Sums, VersionSums
from services.monitor.handlers.catalog import Catalog
from services.monitor.handlers.closing import heard
from services.monitor.handlers.payloads import microseconds, moment
from services.monitor.ports import Detector, Log, Store
from shared.errors import Transient
from shared.kafka import Position, Told

REMEMBERED = 16
MOST_SLICES = 1000
TOLD: dict[str, type[Event]] = {
    kind.__name__: kind for kind in (PerformanceMeasured, DriftDetected)
}


async def measure_windows(
    event: WindowCounted,
    *,
    store: Store,
    catalog: Catalog,
    detector: Detector,
    log: Log,
    position: Position,
    group: str,
) -> Told:
    """window.counted -> what a model's complete windows show."""
    if catalog.declaration(event.model) is None:
        raise Transient(f"waiting for the declaration of {event.model}")
    packed = await store.ledger(event.model)
    if packed is None and await _lost(store, log, position, group):
        # Goes on until the commit is back at the beginning: then nothing is lost any more.
        return Told(held={position: 0})
    ledger = msgspec.msgpack.decode(packed, type=Ledger) if packed else Ledger()
    if event.event_id in ledger.told:
        return Told(events=[_read(*told) for told in ledger.told[event.event_id]])
    start, end = microseconds(event.window.start), microseconds(event.window.end)
    ledger.hear(start, end, event.partition, heard(event))

    events: list[Event] = []
    for window in ledger.complete(event.partitions):
        events += measured(event, window, catalog)
        ledger.remember(window, end - start, detector.windows)
        events += alarms(event, window, ledger, catalog, detector)

    if events:
        ledger.told[event.event_id] = [_written(told) for told in events]
        ledger.told = dict(list(ledger.told.items())[-REMEMBERED:])
    # Written before it is published: a copy of this event finds what it has led to.
    await store.write_ledger(event.model, msgspec.msgpack.encode(ledger))
    return Told(events=events)


async def _lost(store: Store, log: Log, position: Position, group: str) -> bool:
    """Tell whether windows were merged before of which the store knows nothing."""
    if await store.knows_ledgers():
        return False
    return (await log.committed(group, [position])).get(position, 0) > 0


def measured(event: WindowCounted, window: Whole, catalog: Catalog) -> list[Event]:
    """Tell how each version did in a complete window."""
    declaration = catalog.declaration(event.model)
    assert declaration is not None
    binary = declaration.spec.task == "binary"
    told: list[Event] = []
    for version, sums in sorted(window.versions.items()):
        total = sums.total
        told.append(
            PerformanceMeasured.caused_by(
                f"window:{event.model}:{moment(window.start).isoformat()}",
                distinct=version,
                model=event.model,
                at=event.at,
                version=version,
                window=_window(window),
                n=total.n,
                labelled=total.labelled,
                metric=str(declaration.spec.metric),
                loss=_mean(total.loss, total),
                predicted=_mean(total.predicted, total),
                observed=_mean(total.observed, total),
                cost=_mean(total.cost, total) if binary else None,
                slices=_slices(sums),
            )
        )
    return told


def alarms(
    event: WindowCounted, window: Whole, ledger: Ledger, catalog: Catalog, detector: Detector
) -> list[Event]:
    """Tell the detectors' alarms; each is silent until its evidence fell or the trail is new."""
    declaration, champion = catalog.declaration(event.model), catalog.champion(event.model)
    if declaration is None or champion is None or champion.version not in window.versions:
        return []
    told: list[Event] = []
    quiet = detector.windows * (window.end - window.start)
    promise = declaration.spec.drift.false_alarms
    for verdict in detector.verdicts(ledger.trail, champion, promise):
        stream = f"{champion.version} {verdict.detector}"
        if not verdict.alarm:
            ledger.alarms.pop(stream, None)
        elif window.end - ledger.alarms.get(stream, window.end - quiet) >= quiet:
            ledger.alarms[stream] = window.end
            told.append(_drift(event, window, champion.version, verdict))
    return told


def _drift(event: WindowCounted, window: Whole, version: str, verdict: Verdict) -> Event:
    return DriftDetected.caused_by(
        f"window:{event.model}:{moment(window.start).isoformat()}",
        distinct=f"{version} {verdict.detector}",
        model=event.model,
        at=event.at,
        version=version,
        window=_window(window),
        detector=verdict.detector,
        evidence=verdict.statistic,
        level=verdict.level,
        since=moment(verdict.since),
        blamed=verdict.blamed,
        summary=verdict.summary[:2000],
    )


def _slices(sums: VersionSums) -> tuple[SlicePerformance, ...]:
    found = [
        SlicePerformance(
            feature=feature,
            value=value,
            labelled=part.labelled,
            loss=part.loss / part.labelled,
            predicted=part.predicted / part.labelled,
            observed=part.observed / part.labelled,
        )
        for feature, by_value in sorted(sums.slices.items())
        for value, part in sorted(by_value.items())
        if part.labelled
    ]
    largest = sorted(found, key=lambda part: -part.labelled)[:MOST_SLICES]
    return tuple(sorted(largest, key=lambda part: (part.feature, part.value)))


def _window(window: Whole) -> Window:
    return Window(start=moment(window.start), end=moment(window.end))


def _mean(whole: float, sums: Sums) -> float | None:
    return whole / sums.labelled if sums.labelled else None


def _written(event: Event) -> tuple[str, bytes]:
    return type(event).__name__, event.model_dump_json().encode()


def _read(kind: str, value: bytes) -> Event:
    return TOLD[kind].model_validate_json(value)

"""Wiring: settings -> store, log, tables -> three consumer groups and a timer."""

from __future__ import annotations

from typing import Any

from starlette.applications import Starlette

from contracts.data import LABELS_VALIDATED, PREDICTIONS
from contracts.performance import DRIFT_DETECTED, PERFORMANCE_MEASURED, WINDOW_COUNTED
from contracts.registry import MODEL_DECLARED, RELEASE_CHANGED
from services.monitor.adapters.store import TRANSIENT, RedisStore
from services.monitor.adapters.sweep import Sweep
from services.monitor.domain.drift import TrailingMeans
from services.monitor.handlers import (
    Catalog,
    Closing,
    Join,
    Placing,
    count_predictions,
    keep_labels,
    measure_windows,
    publish_outcomes,
)
from services.monitor.settings import Settings
from shared.clock import wall_clock
from shared.kafka import Consumer, Names, Position, Producer, Table, Topics
from shared.kafka.fetch import Reader
from shared.service import Part, application
from shared.telemetry import Telemetry, set_up

JOIN, WINDOWS = "monitor-join", "monitor-windows"
TOPICS = (
    MODEL_DECLARED,
    RELEASE_CHANGED,
    WINDOW_COUNTED,
    PERFORMANCE_MEASURED,
    DRIFT_DETECTED,
)


def build(settings: Settings | None = None, **doubles: Any) -> Starlette:
    """Make the application; nothing connects before it starts."""
    telemetry = set_up("monitor")
    return application(telemetry, parts(settings or Settings(), telemetry, **doubles))


def parts(settings: Settings, telemetry: Telemetry, **doubles: Any) -> list[Part]:
    """List the service's parts in the order in which they start.

    Args:
        settings: every knob.
        telemetry: of the service.
        doubles: publisher, store, log, detector, clock in place of the real ones.

    """
    kafka, names, catalog = settings.kafka, Names(settings.prefix), Catalog()
    publisher = doubles.get("publisher") or Producer(kafka)
    clock = doubles.get("clock") or wall_clock
    log = doubles.get("log") or Reader(kafka)
    store = doubles.get("store") or RedisStore(
        settings.redis,
        settings.prefix,
        label_ttl_s=settings.label_ttl_s,
        grace_s=settings.grace_s,
    )
    placing = Placing(
        names=names, catalog=catalog, store=store, log=log, group=JOIN, grace_s=settings.grace_s
    )
    closing = Closing(
        telemetry=telemetry,
        store=store,
        log=log,
        placing=placing,
        clock=clock,
        idle_s=settings.idle_s,
    )
    join = Join(
        telemetry=telemetry,
        placing=placing,
        closing=closing,
        patience_s=settings.label_patience_s,
    )
    head, trailing, merging = (
        Consumer(
            telemetry,
            group,
            kafka=kafka,
            names=names,
            publisher=publisher,
            transient=TRANSIENT,
            instance=settings.instance,
            max_records=settings.max_records,
        )
        for group in ("monitor-count", JOIN, WINDOWS)
    )
    head.on_data(PREDICTIONS, count_predictions, store=store, clock=clock, idle_s=settings.idle_s)
    # Labels first: a batch that holds both finds them there.
    trailing.on_data(LABELS_VALIDATED, keep_labels, join=join)
    trailing.on_data(PREDICTIONS, publish_outcomes, join=join)
    trailing.on_assigned(join.assigned)
    merging.on(
        WINDOW_COUNTED,
        measure_windows,
        store=store,
        catalog=catalog,
        detector=doubles.get("detector") or TrailingMeans(),
        log=log,
        position=Position(names.topic(WINDOW_COUNTED), 0),
        group=names.group(WINDOWS),
    )
    sweep = Sweep(
        telemetry,
        names,
        publisher,
        closing.sweep,
        transient=TRANSIENT,
        every_s=settings.sweep_s,
    )
    return [
        Topics(kafka, names, TOPICS, settings.replicas),
        publisher,
        log,
        store,
        Table(telemetry, MODEL_DECLARED, catalog.declare, kafka=kafka, names=names),
        Table(telemetry, RELEASE_CHANGED, catalog.release, kafka=kafka, names=names),
        merging,
        trailing,
        head,
        sweep,
    ]

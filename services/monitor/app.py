"""Wiring: settings -> store, log, tables -> three consumer groups and a timer."""

from __future__ import annotations

from typing import Any

from starlette.applications import Starlette

from contracts.alerts import ALERT_RAISED, ALERT_RESOLVED
from contracts.data import LABELS_VALIDATED, PREDICTIONS
from contracts.performance import (
    DRIFT_DETECTED,
    DRIFT_MEASURED,
    PERFORMANCE_MEASURED,
    PREDICTIONS_COUNTED,
    WINDOW_COUNTED,
)
from contracts.quality import QUALITY_MEASURED
from contracts.registry import MODEL_DECLARED, RELEASE_CHANGED
from services.monitor.adapters.store import TRANSIENT, RedisStore
from services.monitor.handlers import (
    REMEMBERED,
    Catalog,
    Closing,
    Counting,
    Join,
    Measuring,
    Placing,
    Watches,
    count_predictions,
    keep_labels,
    measure_inputs,
    measure_intake,
    measure_outcomes,
    publish_outcomes,
)
from services.monitor.ports import Log, Store
from services.monitor.settings import Settings
from shared.artifacts import Artifacts
from shared.clock import Clock, wall_clock
from shared.kafka import (
    Consumer,
    CrashLedger,
    Names,
    Position,
    Producer,
    Table,
    Teller,
    Timer,
    Told,
    Topics,
)
from shared.kafka.fetch import Reader
from shared.service import Part, application
from shared.telemetry import Telemetry, set_up

COUNT, JOIN, WINDOWS = "monitor-count", "monitor-join", "monitor-windows"
# Nobody waits for what is measured as for a prediction: a tenth of a second halves the monitor's
# cost at 200 events a second.
LINGER_S = 0.1
TOPICS = (
    MODEL_DECLARED,
    RELEASE_CHANGED,
    QUALITY_MEASURED,
    PREDICTIONS_COUNTED,
    WINDOW_COUNTED,
    PERFORMANCE_MEASURED,
    DRIFT_MEASURED,
    DRIFT_DETECTED,
    ALERT_RAISED,
    ALERT_RESOLVED,
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
        doubles: publisher, store, log, files, clock in place of the real ones.

    """
    kafka, names, catalog = settings.kafka, Names(settings.prefix), Catalog()
    publisher = doubles.get("publisher") or Producer(kafka, telemetry)
    log = doubles.get("log") or Reader(kafka)
    store = doubles.get("store") or _store(settings)
    files = doubles.get("files") or Artifacts(settings.state / "artifacts")
    watches = Watches(telemetry, catalog, files)
    closing = _closing(settings, telemetry, watches, store, log, doubles.get("clock", wall_clock))
    counting = _counting(closing)
    crashes = CrashLedger(settings.state / "ledger", telemetry.service, settings.instance)
    head, trailing, merging = (
        Consumer(
            telemetry,
            group,
            kafka=kafka,
            names=names,
            publisher=publisher,
            transient=TRANSIENT,
            instance=settings.instance,
            ledger=crashes,
            parked_limit=settings.parked_limit,
            max_records=records,
            linger_s=LINGER_S,
        )
        for group, records in (
            (COUNT, settings.max_records),
            (JOIN, settings.max_records),
            (WINDOWS, REMEMBERED),
        )
    )
    head.on_data(PREDICTIONS, count_predictions, counting=counting)
    _join(trailing, closing, settings.label_patience_s)
    _measure(merging, closing)

    async def sweep() -> Told:
        told = await closing.sweep()
        told.add(await counting.sweep())
        await watches.look()
        return told

    teller = Teller(telemetry, names, publisher)
    return [
        Topics(kafka, names, TOPICS, settings.replicas),
        publisher,
        log,
        store,
        Table(telemetry, MODEL_DECLARED, catalog.declare, kafka=kafka, names=names),
        Table(telemetry, RELEASE_CHANGED, catalog.release, kafka=kafka, names=names),
        crashes,
        watches,
        merging,
        trailing,
        head,
        # Idle partitions have windows too, and no record leads to them.
        Timer(teller, sweep, every_s=settings.sweep_s, transient=TRANSIENT),
    ]


def _store(settings: Settings) -> RedisStore:
    return RedisStore(
        settings.redis,
        settings.prefix,
        label_ttl_s=settings.label_ttl_s,
    )


def _closing(
    settings: Settings, telemetry: Telemetry, watches: Watches, store: Store, log: Log, clock: Clock
) -> Closing:
    placing = Placing(
        names=Names(settings.prefix),
        catalog=watches.catalog,
        store=store,
        log=log,
        group=JOIN,
    )
    return Closing(
        telemetry=telemetry,
        store=store,
        log=log,
        placing=placing,
        clock=clock,
        idle_s=settings.idle_s,
        watches=watches,
    )


def _counting(closing: Closing) -> Counting:
    return Counting(
        placing=closing.placing,
        watches=closing.watches,
        clock=closing.clock,
        idle_s=closing.idle_s,
        group=COUNT,
    )


def _join(consumer: Consumer, closing: Closing, patience_s: float) -> None:
    join = Join(
        telemetry=closing.telemetry,
        placing=closing.placing,
        closing=closing,
        patience_s=patience_s,
    )
    # Labels first: a batch that holds both finds them there.
    consumer.on_data(LABELS_VALIDATED, keep_labels, join=join)
    consumer.on_data(PREDICTIONS, publish_outcomes, join=join)
    consumer.on_assigned(join.assigned)
    consumer.on_held(join.ripe)


def _measure(consumer: Consumer, closing: Closing) -> None:
    names = closing.placing.names
    heard = (WINDOW_COUNTED, PREDICTIONS_COUNTED, QUALITY_MEASURED)
    measuring = Measuring(
        telemetry=closing.telemetry,
        store=closing.store,
        log=closing.log,
        catalog=closing.placing.catalog,
        watches=closing.watches,
        positions=[Position(names.topic(topic), 0) for topic in heard],
        group=names.group(WINDOWS),
    )
    consumer.on(WINDOW_COUNTED, measure_outcomes, measuring=measuring)
    consumer.on(PREDICTIONS_COUNTED, measure_inputs, measuring=measuring)
    consumer.on(QUALITY_MEASURED, measure_intake, measuring=measuring)

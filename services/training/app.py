"""Wiring: settings -> adapters -> handlers -> parts."""

from __future__ import annotations

from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.routing import Route

from contracts.alerts import ALERT_RAISED, ALERT_RESOLVED
from contracts.data import OUTCOMES
from contracts.performance import DRIFT_DETECTED
from contracts.registry import MODEL_DECLARED, RELEASE_CHANGED
from contracts.training import MODEL_TRAINED, TRAINING_DECIDED, TRAINING_REQUESTED
from services.training.adapters.backtests import ChildBacktests
from services.training.adapters.child import ChildLauncher
from services.training.adapters.delta import DeltaStore
from services.training.handlers.alarms import Alarms
from services.training.handlers.deciding import Desk, decide_on_drift, decide_on_request
from services.training.handlers.keeping import Decoders, go_on, keep_outcomes
from services.training.handlers.knowledge import Models, RunLog
from services.training.handlers.pulse import Pulse
from services.training.handlers.running import Runs, launch
from services.training.http import routes
from services.training.settings import Settings
from shared.kafka import Consumer, CrashLedger, Names, Producer, Table, Teller, Timer, Topics
from shared.service import Part, application
from shared.telemetry import Telemetry, set_up

CONTROL = (
    MODEL_DECLARED,
    RELEASE_CHANGED,
    DRIFT_DETECTED,
    ALERT_RAISED,
    ALERT_RESOLVED,
    TRAINING_REQUESTED,
    TRAINING_DECIDED,
    MODEL_TRAINED,
)


def build(settings: Settings | None = None, **doubles: Any) -> Starlette:
    """Make the application; nothing is connected before it starts."""
    telemetry = set_up("training")
    return application(telemetry, *assembled(settings or Settings(), telemetry, **doubles))


def parts(settings: Settings, telemetry: Telemetry, **doubles: Any) -> list[Part]:
    """Make the parts alone, in the order in which they start."""
    return assembled(settings, telemetry, **doubles)[0]


def assembled(
    settings: Settings, telemetry: Telemetry, **doubles: Any
) -> tuple[list[Part], list[Route]]:
    """Make the parts, and the routes over the same models and store.

    Args:
        settings: all knobs.
        telemetry: of the service.
        doubles: `publisher` and `launcher` in place of the real ones.

    """
    names, models, log, alarms = Names(settings.prefix), Models(), RunLog(), Alarms()
    producer = Producer(settings.kafka, telemetry)
    publisher = doubles.get("publisher", producer)
    store = DeltaStore(settings.state / "offline", pins=log.pins, most_rows=settings.flush_rows)
    launcher = doubles.get("launcher") or ChildLauncher(
        telemetry, settings.state / "runs", settings.run_timeout_s
    )
    desk, teller = Desk(models, log, alarms, store), Teller(telemetry, names, publisher)
    runs = Runs(
        telemetry,
        launcher=launcher,
        teller=teller,
        models=models,
        log=log,
        store=store,
        artifacts=settings.state / "artifacts",
    )
    pulse = Pulse(store=store, desk=desk, models=models)
    backtests = ChildBacktests(telemetry)
    crashes = CrashLedger(settings.state / "ledger", telemetry.service, settings.instance)
    consumer = Consumer(
        telemetry,
        "training",
        kafka=settings.kafka,
        names=names,
        publisher=publisher,
        instance=settings.instance,
        ledger=crashes,
        parked_limit=settings.parked_limit,
        max_records=5000,
    )
    consumer.on_data(OUTCOMES, keep_outcomes, models=models, decoders=Decoders(), store=store)
    consumer.on(DRIFT_DETECTED, decide_on_drift, desk=desk)
    consumer.on(TRAINING_REQUESTED, decide_on_request, desk=desk)
    consumer.on(TRAINING_DECIDED, launch, runs=runs)
    consumer.on_assigned(partial(go_on, names=names, store=store))
    consumer.on_assigned(partial(runs.assigned, names=names))
    table = partial(Table, telemetry, kafka=settings.kafka, names=names)
    connected: list[Part] = [
        Topics(settings.kafka, names, CONTROL, settings.replicas),
        producer,
        table(MODEL_DECLARED, models.declare),
        table(RELEASE_CHANGED, models.release),
        table(TRAINING_DECIDED, log.decided),
        table(MODEL_TRAINED, log.trained),
        table(DRIFT_DETECTED, alarms.drifted),
        table(ALERT_RAISED, alarms.raised),
        table(ALERT_RESOLVED, alarms.resolved),
        pulse,
        Timer(teller, pulse.beat, every_s=settings.flush_s),
        runs,
        backtests,
        crashes,
        consumer,
    ]
    return connected, routes(
        declaration=models.declaration,
        names=models.names,
        uri=store.uri,
        kept=store.version,
        backtests=backtests,
    )

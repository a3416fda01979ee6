"""Wiring: settings -> model library, releases -> consumer, routes."""

from __future__ import annotations

import os
from typing import Any

from starlette.applications import Starlette

from contracts.data import EVENTS_VALIDATED
from contracts.registry import MODEL_DECLARED, RELEASE_CHANGED
from services.serving.adapters.library import Limits, StoredLibrary
from services.serving.handlers import Releases, predict
from services.serving.http import routes
from services.serving.ports import Library
from services.serving.settings import Settings
from shared.clock import wall_clock
from shared.kafka import Consumer, Names, Producer, Table, Topics
from shared.service import Part, application
from shared.telemetry import Telemetry, set_up

# LightGBM reads these when it is first loaded: its idle threads must not spin on busy cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")


def build(settings: Settings | None = None, **doubles: Any) -> Starlette:
    """Make the application; nothing connects before it starts."""
    settings, telemetry = settings or Settings(), set_up("serving")
    library = doubles.pop("library", None) or stored(settings, telemetry)
    releases = Releases(library)
    wired = wire(settings, telemetry, releases, **doubles)
    return application(telemetry, wired, routes(releases.timelines, library, wall_clock))


def parts(
    settings: Settings, telemetry: Telemetry, *, library: Library | None = None, **doubles: Any
) -> list[Part]:
    """List the service's parts in the order in which they start; doubles replace real ones."""
    return wire(settings, telemetry, Releases(library or stored(settings, telemetry)), **doubles)


def stored(settings: Settings, telemetry: Telemetry) -> StoredLibrary:
    """Open the library in the state folder."""
    limits = Limits(settings.load_s, settings.load_memory_mb)
    return StoredLibrary(telemetry, settings.state / "artifacts", limits, settings.models_kept)


def wire(
    settings: Settings, telemetry: Telemetry, releases: Releases, *, publisher: Any = None
) -> list[Part]:
    """Connect handlers to topics."""
    names, kafka = Names(settings.prefix), settings.kafka
    publisher = publisher or Producer(kafka)
    consumer = Consumer(
        telemetry,
        "serving",
        kafka=kafka,
        names=names,
        publisher=publisher,
        instance=settings.instance,
        max_records=settings.max_records,
    )
    consumer.on_data(
        EVENTS_VALIDATED,
        predict,
        releases=releases,
        names=names,
        telemetry=telemetry,
        offload_rows=settings.offload_rows,
    )
    return [
        Topics(kafka, names, (MODEL_DECLARED, RELEASE_CHANGED), settings.replicas),
        publisher,
        Table(telemetry, MODEL_DECLARED, releases.declare, kafka=kafka, names=names),
        Table(telemetry, RELEASE_CHANGED, releases.change, kafka=kafka, names=names),
        consumer,
    ]

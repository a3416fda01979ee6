"""Wiring: settings -> model library, releases -> consumer, routes."""

from __future__ import annotations

import os
from typing import Any

from starlette.applications import Starlette
from starlette.routing import Route

from contracts.data import EVENTS_VALIDATED
from contracts.registry import MODEL_DECLARED, RELEASE_CHANGED
from services.serving.adapters.library import Limits, StoredLibrary
from services.serving.handlers import Releases, predict
from services.serving.http import routes
from services.serving.ports import Library
from services.serving.settings import Settings
from shared.clock import wall_clock
from shared.kafka import Consumer, Names, Producer, Publisher, Table, Topics
from shared.service import Part, application
from shared.telemetry import Telemetry, set_up

# LightGBM reads these when it is first loaded: its idle threads must not spin on busy cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")


def build(settings: Settings | None = None, **doubles: Any) -> Starlette:
    """Make the application; nothing connects before it starts."""
    telemetry = set_up("serving")
    return application(telemetry, *assembled(settings or Settings(), telemetry, **doubles))


def parts(settings: Settings, telemetry: Telemetry, **doubles: Any) -> list[Part]:
    """List the service's parts in the order in which they start."""
    return assembled(settings, telemetry, **doubles)[0]


def assembled(
    settings: Settings,
    telemetry: Telemetry,
    *,
    publisher: Publisher | None = None,
    library: Library | None = None,
) -> tuple[list[Part], list[Route]]:
    """Make the parts and the routes over the same releases.

    Args:
        settings: every knob.
        telemetry: of the service.
        publisher: stands in for the producer.
        library: stands in for the artifact store.

    """
    at: dict[str, Any] = {"kafka": settings.kafka, "names": Names(settings.prefix)}
    producer = Producer(settings.kafka)
    library = library or _stored(settings, telemetry)
    releases = Releases(library)
    consumer = Consumer(
        telemetry,
        "serving",
        **at,
        publisher=publisher or producer,
        instance=settings.instance,
        max_records=settings.max_records,
    )
    answering = {"releases": releases, "names": at["names"], "telemetry": telemetry}
    consumer.on_data(EVENTS_VALIDATED, predict, **answering, offload_rows=settings.offload_rows)
    own: list[Part] = [
        Topics(**at, topics=(MODEL_DECLARED, RELEASE_CHANGED), replicas=settings.replicas),
        *([] if publisher else [producer]),
        Table(telemetry, MODEL_DECLARED, releases.declare, **at),
        Table(telemetry, RELEASE_CHANGED, releases.change, **at),
        consumer,
    ]
    return own, routes(releases.timelines, library, wall_clock)


def _stored(settings: Settings, telemetry: Telemetry) -> StoredLibrary:
    limits = Limits(settings.load_s, settings.load_memory_mb)
    return StoredLibrary(telemetry, settings.state / "artifacts", limits, settings.models_kept)

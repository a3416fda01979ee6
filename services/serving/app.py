"""Wiring: settings -> model library, releases -> consumer, inference over HTTP and gRPC."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from starlette.types import ASGIApp

from contracts.data import EVENTS_VALIDATED
from contracts.registry import MODEL_DECLARED, RELEASE_CHANGED
from services.serving.adapters.compiled import Compiler, InBlocks, RowByRow, Way
from services.serving.adapters.library import Limits, StoredLibrary
from services.serving.adapters.machine import Machine
from services.serving.adapters.outbox import KafkaOutbox
from services.serving.domain.protocol import ServerMetadata
from services.serving.handlers import Releases, predict
from services.serving.http import Direct, Drain, Protocol, routes
from services.serving.inference import Inference
from services.serving.ports import Library
from services.serving.settings import Settings
from shared import events
from shared.clock import Clock, wall_clock
from shared.kafka import (
    CrashLedger,
    Names,
    Producer,
    Publisher,
    Table,
    Topics,
    partitions,
)
from shared.kernels import Kernels
from shared.service import Part, application
from shared.telemetry import Telemetry, set_up

# LightGBM reads these when it is first loaded: its idle threads must not spin on busy cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")

SERVER = ServerMetadata(
    "driftwheel", "0.1.0", ["binary_tensor_data", "null_is_missing", "predictions"]
)


@dataclass(frozen=True, slots=True)
class Serving:
    """The service: its parts in the order in which they start, and what stands on them."""

    parts: list[Part]
    app: ASGIApp
    drain: Drain
    inference: Inference
    direct: Direct


def build(settings: Settings | None = None, **doubles: Any) -> ASGIApp:
    """Make the application; nothing connects before it starts."""
    return assembled(settings or Settings(), set_up("serving"), **doubles).app


def parts(settings: Settings, telemetry: Telemetry, **doubles: Any) -> list[Part]:
    """List the service's parts in the order in which they start."""
    return assembled(settings, telemetry, **doubles).parts


def assembled(
    settings: Settings,
    telemetry: Telemetry,
    *,
    publisher: Publisher | None = None,
    library: Library | None = None,
    clock: Clock = wall_clock,
) -> Serving:
    """Make the parts and the application over the same releases.

    Args:
        settings: every knob.
        telemetry: of the service.
        publisher: stands in for the producer.
        library: stands in for the artifact store.
        clock: tells which plan answers a request.

    """
    at: dict[str, Any] = {"kafka": settings.kafka, "names": Names(settings.prefix)}
    producer = Producer(settings.kafka, telemetry)
    machine = Machine()
    library = library or _stored(settings, telemetry, machine)
    # Events are read by kernels in this process; code for requests comes from a child.
    kernels = settings.kernels and settings.stream
    loads = (events.load, partitions.load) if kernels else (machine.load,)
    partitions.load_columns()
    releases, drain = Releases(library, kernels=kernels), Drain()
    outbox = KafkaOutbox(
        telemetry, at["names"], publisher or producer, settings.http_queue, settings.http_ack_s
    )
    inference = Inference(releases, library, outbox, clock, settings.inline_ms * 1000)
    own: list[Part] = [
        drain,
        Topics(**at, topics=(MODEL_DECLARED, RELEASE_CHANGED), replicas=settings.replicas),
        *([] if publisher else [producer]),
        outbox,
        Table(telemetry, MODEL_DECLARED, releases.declare, **at),
        Table(telemetry, RELEASE_CHANGED, releases.change, **at),
        *_stream(settings, telemetry, releases, publisher or producer),
        *([Kernels(telemetry, loads)] if settings.kernels else []),
    ]

    def unready() -> str | None:
        return "; ".join(reason for part in own if (reason := part.unready())) or None

    own += _grpc(settings, telemetry, inference, unready)
    pages = application(telemetry, own, routes(releases.timelines, library, clock))
    protocol = Protocol(telemetry, inference, SERVER, unready, settings.http_max_body, pages)
    direct = Direct(inference, drain, settings.http_max_body)
    return Serving(own, drain.over(protocol), drain, inference, direct)


def _stream(
    settings: Settings, telemetry: Telemetry, releases: Releases, publisher: Publisher
) -> list[Part]:
    """Make what answers events from Kafka, where that is wanted; else it takes no memory."""
    if not settings.stream:
        return []
    from shared.kafka import Consumer

    names = Names(settings.prefix)
    crashes = CrashLedger(settings.state / "ledger", telemetry.service, settings.instance)
    consumer = Consumer(
        telemetry,
        "serving",
        kafka=settings.kafka,
        names=names,
        publisher=publisher,
        instance=settings.instance,
        ledger=crashes,
        parked_limit=settings.parked_limit,
        max_records=settings.max_records,
    )
    answering = {"releases": releases, "names": names, "telemetry": telemetry}
    consumer.on_data(EVENTS_VALIDATED, predict, **answering, inline_us=settings.inline_ms * 1000)
    return [crashes, consumer]


def _grpc(
    settings: Settings,
    telemetry: Telemetry,
    inference: Inference,
    unready: Callable[[], str | None],
) -> list[Part]:
    """Make what listens for gRPC, where that is wanted; else its library takes no memory."""
    if settings.grpc is None:
        return []
    from services.serving.grpc import GrpcServer, Service

    service = Service(telemetry, inference, SERVER, unready)
    return [GrpcServer(service, settings.grpc, settings.http_max_body)]


def _stored(settings: Settings, telemetry: Telemetry, machine: Machine) -> StoredLibrary:
    limits = Limits(settings.load_s, settings.load_memory_mb)
    way: Way = InBlocks if settings.stream else partial(RowByRow, code=machine.code)
    return StoredLibrary(
        telemetry,
        settings.state / "artifacts",
        limits,
        kept=settings.models_kept,
        compiler=Compiler(telemetry, way) if settings.kernels else None,
    )

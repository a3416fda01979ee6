"""Wiring of ingest: settings -> table of declarations, producer, routes."""

from __future__ import annotations

from starlette.applications import Starlette

from contracts.registry import MODEL_DECLARED
from services.ingest.domain.budget import Budget
from services.ingest.handlers import Declared
from services.ingest.http import Intake, Limits, routes
from services.ingest.settings import Settings
from shared.kafka import Names, Producer, Publisher, Table, Topics
from shared.service import Part, application
from shared.telemetry import Telemetry, set_up


def parts(
    settings: Settings,
    telemetry: Telemetry,
    *,
    publisher: Publisher | None = None,
    declared: Declared | None = None,
) -> list[Part]:
    """Make what lives as long as the service; doubles replace what speaks to the world."""
    names = Names(settings.prefix)
    producer = publisher or Producer(settings.kafka, telemetry)
    apply = (declared or Declared()).apply
    return [
        Topics(settings.kafka, names, [MODEL_DECLARED], settings.replicas),
        *([producer] if isinstance(producer, Producer) else []),
        Table(telemetry, MODEL_DECLARED, apply, kafka=settings.kafka, names=names),
    ]


def build(
    settings: Settings | None = None,
    *,
    publisher: Publisher | None = None,
    declared: Declared | None = None,
) -> Starlette:
    """Make the application; nothing connects before it is started."""
    settings, telemetry = settings or Settings(), set_up("ingest")
    publisher, declared = publisher or Producer(settings.kafka, telemetry), declared or Declared()
    limits = Limits(
        one=settings.max_body,
        lines=settings.max_lines,
        body_s=settings.body_timeout_s,
        ack_s=settings.ack_timeout_s,
        retry_after_s=settings.retry_after_s,
        trace_ratio=settings.trace_ratio,
    )
    intake = Intake(
        telemetry,
        Names(settings.prefix),
        publisher,
        declared,
        Budget(settings.max_requests, settings.max_in_flight),
        limits,
    )
    return application(
        telemetry,
        parts(settings, telemetry, publisher=publisher, declared=declared),
        routes(intake),
    )

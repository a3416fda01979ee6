"""Traces across Kafka: a span per sampled record, carried on in what the record leads to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Self

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared.kafka.message import Message, Record

TRACEPARENT = "traceparent"
PROPAGATOR = TraceContextTextMapPropagator()


def traceparent_of(record: Record) -> bytes | None:
    """Read the trace context a record came with."""
    return next((value for key, value in record.headers if key == TRACEPARENT), None)


def _sampled(traceparent: bytes) -> bool:
    """Read the lowest bit of the flags, the last two hexadecimal digits."""
    return traceparent[-1:] in b"13579bdf" and len(traceparent) == 55


class Spans:
    """The spans of one batch; records without a sampled trace cost nothing."""

    def __init__(self, service: str, records: Sequence[Record]) -> None:
        self.service, self.records = service, records
        self._spans: dict[int, trace.Span] = {}
        self._first: trace.Span | None = None

    def __enter__(self) -> Self:
        tracer = trace.get_tracer("driftwheel")
        for record in self.records:
            parent = traceparent_of(record)
            if parent is not None and _sampled(parent):
                context = PROPAGATOR.extract({TRACEPARENT: parent.decode("ascii", "replace")})
                span = tracer.start_span(f"{self.service} {record.topic}", context)
                self._spans[id(record)] = span
                self._first = self._first or span
        return self

    def __exit__(self, *_: object) -> None:
        for span in self._spans.values():
            span.end()

    def carried(self, message: Message) -> Message:
        """Give a message the trace of its cause; one without a cause goes on the batch's first."""
        context = self._context(message.cause)
        if context is None:
            return message
        return replace(message, headers=(*message.headers, (TRACEPARENT, context)))

    def _context(self, cause: Record | None) -> bytes | None:
        span = self._first if cause is None else self._spans.get(id(cause))
        if span is None:
            return traceparent_of(cause) if cause is not None else None
        carrier: dict[str, str] = {}
        PROPAGATOR.inject(carrier, trace.set_span_in_context(span, Context()))
        return carrier[TRACEPARENT].encode() if TRACEPARENT in carrier else None

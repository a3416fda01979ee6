"""Traces across Kafka: a span per sampled record, carried on in what the record leads to."""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import Token
from dataclasses import replace
from typing import Self

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared.kafka.headers import Header
from shared.kafka.message import Block, Message, Record

TRACEPARENT = "traceparent"
PROPAGATOR = TraceContextTextMapPropagator()
TRACER = trace.get_tracer("driftwheel")


def traced(message: Message, span: trace.Span) -> Message:
    """Let a message go on with the trace of a span."""
    return replace(message, headers=(*message.headers, *_headers(span)))


def _headers(span: trace.Span) -> tuple[Header, ...]:
    carrier: dict[str, str] = {}
    PROPAGATOR.inject(carrier, trace.set_span_in_context(span, Context()))
    return tuple((name, value.encode()) for name, value in carrier.items())


def _sampled(traceparent: bytes) -> bool:
    """Read the lowest bit of the flags, the last two hexadecimal digits."""
    return traceparent[-1:] in b"13579bdf" and len(traceparent) == 55


class Spans:
    """The spans of one batch; data records without a sampled trace cost nothing.

    While the batch is handled its first span is the current one, so that logs name it and
    background tasks that a handler starts go on with it.
    """

    def __init__(self, service: str, records: Iterable[Record]) -> None:
        self.service, self.records = service, records
        self._parents: dict[int, bytes] = {}
        self._spans: dict[int, trace.Span] = {}
        self._first: trace.Span | None = None
        self._token: Token[Context] | None = None

    def __enter__(self) -> Self:
        having = [record for record in self.records if record.headers]
        found = [(r, v) for r in having for n, v in r.headers if n == TRACEPARENT]
        for record, parent in found:
            if not parent:
                continue
            self._parents[id(record)] = parent
            if _sampled(parent):
                remote = PROPAGATOR.extract({TRACEPARENT: parent.decode("ascii", "replace")})
                span = TRACER.start_span(f"{self.service} {record.topic}", remote)
                self._spans[id(record)] = span
                self._first = self._first or span
        if self._first is not None:
            self._token = context.attach(trace.set_span_in_context(self._first))
        return self

    def __exit__(self, *_: object) -> None:
        if self._token is not None:
            context.detach(self._token)
        if self._first is not None:
            self._first.end()
        for span in self._spans.values():
            if span is not self._first:
                span.end()

    def carried(self, message: Message) -> Message:
        """Give a message the trace of its cause."""
        if id(message.cause) not in self._parents:
            return message
        return replace(message, headers=(*message.headers, *self._trace(message.cause)))

    def carried_on(self, block: Block) -> Block:
        """Give each row of a block the trace of its cause."""
        if not self._parents:
            return block
        traced = {
            row: [*block.headers[row], *self._trace(cause)]
            for row, cause in enumerate(block.causes)
            if id(cause) in self._parents
        }
        return replace(block, headers=block.headers.but(traced))

    def told(self, message: Message) -> Message:
        """Give a fact the trace of the batch; facts are few, so there always is one."""
        if self._first is None:
            self._first = TRACER.start_span(f"{self.service} tells")
        return traced(message, self._first)

    def _trace(self, cause: Record | None) -> tuple[Header, ...]:
        span = self._spans.get(id(cause))
        return _headers(span) if span else ((TRACEPARENT, self._parents[id(cause)]),)

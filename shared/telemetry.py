"""Logs, metrics and traces: set up once per process, the same in every service."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
from typing import Any, Literal, get_args

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from prometheus_client import Counter, Gauge, Histogram

FLUSH_MS = 2000

CounterName = Literal[
    "records_consumed",
    "records_published",
    "records_parked",
    "records_duplicate",
    "records_quarantined",
    "models_unusable",
    "scorer_fallback",
    "kernels_failed",
    "retries",
    "commits",
    "rebalances",
    "producer_rebuilds",
    "predictions",
    "labels_unmatched",
    "labels_too_late",
    "outcomes_uncounted",
    "baselines_refused",
    "windows_without_baseline",
    "training_runs",
    "http_requests",
]
GaugeName = Literal[
    "lag",
    "partition_lag",
    "oldest_age_seconds",
    "waiting",
    "halted",
    "drift_evidence",
    "features_unmonitorable",
    "baselines_awaited",
    "labels_arrived",
]
HistogramName = Literal["batch_seconds"]

COUNTERS = {
    name: Counter(f"driftwheel_{name}", name.replace("_", " "), ["service", "what"])
    for name in get_args(CounterName)
}
GAUGES = {
    name: Gauge(f"driftwheel_{name}", name.replace("_", " "), ["service", "what"])
    for name in get_args(GaugeName)
}
HISTOGRAMS = {
    name: Histogram(f"driftwheel_{name}", name.replace("_", " "), ["service", "what"])
    for name in get_args(HistogramName)
}


class Telemetry:
    """The instruments of one service."""

    def __init__(self, service: str) -> None:
        self.service = service
        self.log = logging.getLogger(f"driftwheel.{service}")

    def count(self, name: CounterName, what: str, by: float = 1) -> None:
        """Add to a counter; `what` is a bounded label such as a topic or a reason class."""
        COUNTERS[name].labels(self.service, what).inc(by)

    def gauge(self, name: GaugeName, what: str, value: float) -> None:
        """Set a gauge."""
        GAUGES[name].labels(self.service, what).set(value)

    def forget(self, name: GaugeName, what: str) -> None:
        """Show a gauge no longer."""
        with contextlib.suppress(KeyError):
            GAUGES[name].remove(self.service, what)

    def observe(self, name: HistogramName, what: str, value: float) -> None:
        """Add an observation, in the unit of the name."""
        HISTOGRAMS[name].labels(self.service, what).observe(value)


class JsonLines(logging.Formatter):
    """One JSON object per line; what is passed as `extra={"fields": {...}}` stands beside it."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self.service = service

    def format(self, record: logging.LogRecord) -> str:
        """Render one record."""
        line: dict[str, Any] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S"),
            "level": record.levelname.lower(),
            "service": self.service,
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        span = trace.get_current_span().get_span_context()
        if span.is_valid:
            line["trace_id"] = f"{span.trace_id:032x}"
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def set_up(service: str) -> Telemetry:
    """Send logs to standard error as JSON lines, and traces to OTLP where an endpoint is set."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(service))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("driftwheel").setLevel(os.environ.get("DRIFTWHEEL_LOG_LEVEL", "INFO"))
    # aiokafka reports every metadata refresh of a young topic as an error; our own waits are told.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    if not isinstance(trace.get_tracer_provider(), TracerProvider):
        trace.set_tracer_provider(_tracer_provider(service))
    return Telemetry(service)


def flush() -> None:
    """Send the spans that are left; before an end that runs no exit handlers."""
    provider = trace.get_tracer_provider()
    if isinstance(provider, TracerProvider):
        provider.force_flush(FLUSH_MS)


def _tracer_provider(service: str) -> TracerProvider:
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    if os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        # A third of a second that only those wait for who use it.
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider

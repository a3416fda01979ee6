"""Every knob of ingest, read from the environment as DRIFTWHEEL_<NAME>."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What an operator can change; units stand in the names or descriptions."""

    model_config = SettingsConfigDict(env_prefix="DRIFTWHEEL_", frozen=True)

    kafka: str = Field("127.0.0.1:9092", description="Bootstrap address of Kafka.")
    prefix: str = Field("driftwheel.", description="Stands before every topic and group name.")
    replicas: int = Field(1, ge=1, description="Copies of a topic that has to be created.")
    max_body: int = Field(
        950_000,
        ge=1,
        description="Bytes of one event or label; Kafka takes 1 MB with key and headers.",
    )
    max_lines: int = Field(16_000_000, ge=1, description="Bytes of an NDJSON request.")
    max_requests: int = Field(256, ge=1, description="Requests in flight; beyond it, 429.")
    max_in_flight: int = Field(
        64_000_000, ge=1, description="Bytes of all bodies in flight; beyond it, 429."
    )
    body_timeout_s: float = Field(30.0, gt=0, description="Seconds a body may take to arrive.")
    ack_timeout_s: float = Field(
        10.0, gt=0, description="Seconds Kafka may take to acknowledge; then 503."
    )
    retry_after_s: int = Field(1, ge=1, description="Seconds named in Retry-After.")
    trace_ratio: float = Field(
        0.01, ge=0, le=1, description="Share of requests without a trace that begin one."
    )

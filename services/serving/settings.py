"""Every knob of serving."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Read from the environment, prefix DRIFTWHEEL_."""

    model_config = SettingsConfigDict(env_prefix="DRIFTWHEEL_", frozen=True)

    kafka: str = Field("127.0.0.1:9092", description="Bootstrap address.")
    prefix: str = Field("driftwheel.", description="Of topics and groups.")
    state: Path = Field(Path(".driftwheel/state"), description="Holds artifacts and ledger.")
    instance: str | None = Field(
        None, description="Stable name of this copy; with it a restart waits for no session."
    )
    replicas: int = Field(1, ge=1, description="Of the control topics this service creates.")
    parked_limit: int = Field(
        1000, ge=1, description="So many records parked in a row stop the service."
    )
    max_records: int = Field(2000, ge=1, description="Records per batch.")
    kernels: bool = Field(
        True,
        description="Compiled reading and scoring; without, slower (the stream 130 MB smaller).",
    )
    inline_ms: float = Field(
        5, ge=0, description="Scoring that takes longer happens off the event loop."
    )
    models_kept: int = Field(16, ge=2, description="Models in memory, over all declarations.")
    load_s: int = Field(
        60, ge=1, description="Wall and CPU seconds in which a new model must load and score."
    )
    load_memory_mb: int = Field(
        4096, ge=512, description="Address space in MiB that a new model may take in its trial."
    )
    stream: bool = Field(True, description="Answer events from Kafka; else only HTTP and gRPC.")
    grpc: str | None = Field(
        None, description="Where gRPC listens, such as 0.0.0.0:8001; none: it is off."
    )
    http_max_body: int = Field(
        950_000, ge=1, description="Bytes of a request for inference; Kafka takes 1 MB."
    )
    http_queue: int = Field(
        20_000,
        ge=1,
        description="Predictions asked for over HTTP that may wait for Kafka; beyond it, 503.",
    )
    http_ack_s: float = Field(
        10.0, gt=0, description="Seconds that a durable request waits for Kafka; then 503."
    )

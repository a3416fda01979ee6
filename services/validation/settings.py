"""Every knob of validation."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Read from the environment, prefix DRIFTWHEEL_."""

    model_config = SettingsConfigDict(env_prefix="DRIFTWHEEL_", frozen=True)

    kafka: str = Field("127.0.0.1:9092", description="Bootstrap address.")
    redis: str = Field("redis://127.0.0.1:6379/0", description="Holds ids seen and open windows.")
    prefix: str = Field("driftwheel.", description="Of topics, groups and keys.")
    state: Path = Field(Path(".driftwheel/state"), description="Holds the folder ledger.")
    instance: str | None = Field(
        None, description="Stable name of this copy; with it a restart waits for no session."
    )
    replicas: int = Field(1, ge=1, description="Of the control topics this service creates.")
    parked_limit: int = Field(
        1000, ge=1, description="So many records parked in a row stop the service."
    )
    max_records: int = Field(4000, ge=1, description="Records per batch.")
    future_s: float = Field(
        300, ge=0, description="Seconds that a record's time may lie ahead of its arrival."
    )
    dedupe_ttl_s: int = Field(
        7 * 86400,
        ge=1,
        description="Seconds of wall time that an id is remembered; about 200 bytes of Redis each.",
    )
    quality_ttl_s: int = Field(
        90 * 86400, ge=1, description="Seconds of wall time that the counts of a window are kept."
    )
    largest_record: int = Field(
        900_000,
        ge=1000,
        description="Bytes of key, value and headers; a larger record is quarantined without them.",
    )

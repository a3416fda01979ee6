"""Every knob of the registry."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Read from the environment, `DRIFTWHEEL_` before the upper-case name."""

    model_config = SettingsConfigDict(env_prefix="DRIFTWHEEL_", frozen=True)

    kafka: str = Field("127.0.0.1:9092", description="Bootstrap address.")
    prefix: str = Field("driftwheel.", description="Before every topic and group.")
    state: Path = Field(Path(".driftwheel/state"), description="Holds the folder ledger.")
    instance: str | None = Field(
        None, description="Stable name of this copy; a restart then does not wait for the session."
    )
    replicas: int = Field(1, ge=1, description="Copies of each partition of new topics.")
    parked_limit: int = Field(
        1000, ge=1, description="So many records parked in a row stop the service."
    )
    partitions: int = Field(4, ge=1, description="Partitions of each data topic of a new model.")
    lead_ms: int = Field(
        2000, ge=0, description="Milliseconds from a plan's append time until it is in force."
    )

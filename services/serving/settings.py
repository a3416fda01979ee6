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
    state: Path = Field(Path(".driftwheel/state"), description="Holds the folder artifacts.")
    instance: str | None = Field(
        None, description="Stable name of this copy; with it a restart waits for no session."
    )
    replicas: int = Field(1, ge=1, description="Of the control topics this service creates.")
    max_records: int = Field(1000, ge=1, description="Records per batch.")
    offload_rows: int = Field(
        500, ge=1, description="From so many rows on, a group is scored off the event loop."
    )
    models_kept: int = Field(16, ge=2, description="Models in memory, over all declarations.")
    load_s: int = Field(
        60, ge=1, description="Wall and CPU seconds in which a new model must load and score."
    )
    load_memory_mb: int = Field(
        4096, ge=512, description="Address space in MiB that a new model may take in its trial."
    )

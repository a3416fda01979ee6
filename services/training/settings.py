"""Every knob of training."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Read from the environment, `DRIFTWHEEL_` before each name."""

    model_config = SettingsConfigDict(env_prefix="DRIFTWHEEL_", frozen=True)

    kafka: str = Field("127.0.0.1:9092", description="Bootstrap address.")
    prefix: str = Field("driftwheel.", description="Of all topics and groups.")
    state: Path = Field(
        Path(".driftwheel/state"),
        description="Folder of artifacts, outcomes, runs and ledger.",
    )
    instance: str | None = Field(
        None, description="Stable name of this copy; a restart then keeps its partitions."
    )
    replicas: int = Field(1, ge=1, description="Copies of each control topic that is created.")
    parked_limit: int = Field(
        1000, ge=1, description="So many records parked in a row stop the service."
    )
    flush_s: float = Field(1.0, gt=0, description="Seconds between commits to the offline store.")
    flush_rows: int = Field(
        20_000, ge=1, description="Buffered outcomes of a model that are written at once."
    )
    run_timeout_s: float = Field(1800.0, gt=0, description="Seconds until a run is given up.")

"""Every knob of monitor."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

DAY = 86_400


class Settings(BaseSettings):
    """Read from the environment, prefix DRIFTWHEEL_."""

    model_config = SettingsConfigDict(env_prefix="DRIFTWHEEL_", frozen=True)

    kafka: str = Field("127.0.0.1:9092", description="Bootstrap address.")
    redis: str = Field("redis://127.0.0.1:6379/0", description="Holds labels and open windows.")
    prefix: str = Field("driftwheel.", description="Of topics, groups and keys.")
    state: Path = Field(Path(".driftwheel/state"), description="Holds artifacts and ledger.")
    instance: str | None = Field(
        None, description="Stable name of this copy; with it a restart waits for no session."
    )
    replicas: int = Field(1, ge=1, description="Of the control topics this service creates.")
    parked_limit: int = Field(
        1000, ge=1, description="So many records parked in a row stop the service."
    )
    max_records: int = Field(1000, ge=1, le=5000, description="Records per batch.")
    idle_s: float = Field(
        5, gt=0, description="Wall seconds until a silent partition holds up no watermark."
    )
    label_patience_s: float = Field(
        2,
        gt=0,
        description="Wall seconds labels have to follow the predictions of their time, where a "
        "partition has no labels that tell the time themselves.",
    )
    label_ttl_s: int = Field(
        30 * DAY,
        ge=60,
        description="Wall seconds that a label waits for its prediction; the retention of labels.",
    )
    sweep_s: float = Field(
        0.25, gt=0, description="Wall seconds between two looks at idle partitions."
    )

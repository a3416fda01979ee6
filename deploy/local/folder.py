"""Where a stack keeps its things: `.driftwheel/` and what lies in it."""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Folder:
    """The paths of one stack below its root, which need not exist yet."""

    root: Path

    @property
    def kafka(self) -> Path:
        """The broker's data and configuration."""
        return self.root / "kafka"

    @property
    def redis(self) -> Path:
        """What Redis appends to."""
        return self.root / "redis"

    @property
    def state(self) -> Path:
        """What the services keep: offline store, artifacts, crash files."""
        return self.root / "state"

    @property
    def logs(self) -> Path:
        """One file per process, and the one before it as .old."""
        return self.root / "logs"

    @property
    def endpoints(self) -> Path:
        """Addresses for clients; exists while the stack is ready."""
        return self.root / "endpoints.json"

    @property
    def processes(self) -> Path:
        """What was started here; exists until it was stopped in order."""
        return self.root / "processes.json"

    @property
    def lock(self) -> Path:
        """Locked by the one supervisor that may run here."""
        return self.root / "lock"

    def wipe(self) -> None:
        """Delete all data; logs stay. Nothing may run here."""
        for data in (self.kafka, self.redis, self.state):
            if data.exists():
                shutil.rmtree(data)


def write_json(file: Path, value: Any) -> None:
    """Replace `file` in one step, so that a reader never sees half of it."""
    partial = file.with_suffix(f".{os.getpid()}")
    partial.write_text(json.dumps(value, indent=2) + "\n")
    partial.replace(file)


def read_json(file: Path) -> Any:
    """Read `file`; None if there is none."""
    try:
        return json.loads(file.read_text())
    except FileNotFoundError:
        return None

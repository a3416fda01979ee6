"""Where a demo runs: a stack of its own, or one that is already there."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MADE_BY_DEMO = "made-by-demo"


class DemoError(Exception):
    """The demo cannot run; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Ground:
    """A running stack.

    Attributes:
        kafka: bootstrap address.
        prefix: of all topic names.
        pids: name -> process, for measuring memory; empty where we did not start them.
        offline: folder of the offline store.

    """

    kafka: str
    prefix: str
    pids: dict[str, int]
    offline: Path

    def topic(self, model: str, kind: str) -> str:
        """Name a data topic."""
        return f"{self.prefix}data.{model}.{kind}.v1"

    def control(self, name: str) -> str:
        """Name a control topic."""
        return f"{self.prefix}{name}"


@contextlib.contextmanager
def own_ground(folder: Path, keep: bool) -> Iterator[Ground]:
    """Start a stack with empty topics in `folder`, and stop it at the end unless `keep`.

    Raises:
        DemoError: the folder holds somebody's data, or the stack does not start.

    """
    marker = folder / MADE_BY_DEMO
    if (folder / "kafka").exists() and not marker.exists():
        raise DemoError(
            f"{folder} holds a stack that no demo has made, and the demo needs empty topics. "
            "Run it in another folder (--folder), or `python -m deploy.local reset` first."
        )
    _local("reset", folder, quiet=True)
    folder.mkdir(parents=True, exist_ok=True)
    marker.touch()
    _local("up", folder, "--detach")
    try:
        yield attached_ground(folder)
    finally:
        if not keep:
            _local("down", folder, quiet=True)


def attached_ground(folder: Path) -> Ground:
    """Use the stack of `folder`, or the one the environment names.

    Raises:
        DemoError: there is none.

    """
    prefix = os.environ.get("DRIFTWHEEL_PREFIX", "driftwheel.")
    state = Path(os.environ.get("DRIFTWHEEL_STATE", folder / "state"))
    if kafka := os.environ.get("DRIFTWHEEL_KAFKA"):
        return Ground(kafka, prefix, {}, state / "offline")
    try:
        endpoints: dict[str, Any] = json.loads((folder / "endpoints.json").read_text())
    except FileNotFoundError as error:
        raise DemoError(f"No stack runs in {folder}: start one with `driftwheel up`.") from error
    return Ground(endpoints["kafka"], prefix, endpoints.get("pids", {}), state / "offline")


def _local(verb: str, folder: Path, *options: str, quiet: bool = False) -> None:
    command = [sys.executable, "-m", "deploy.local", verb, "--folder", str(folder), *options]
    done = subprocess.run(command, check=False, capture_output=quiet, text=True)
    if done.returncode:
        raise DemoError(
            (done.stderr or "").strip() or f"`{' '.join(command[1:])}` failed, see above."
        )

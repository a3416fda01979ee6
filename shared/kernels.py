"""Compiled code: where it is kept, and how it is loaded."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from shared.telemetry import Telemetry

ROOT = Path(__file__).parents[1]
SOURCES = ("shared/events/*.py", "shared/kafka/murmur2.py", "services/*/domain/**/*.py")


class Kernels:
    """A part that loads compiled code, or compiles it, beside everything else.

    Until it is there the plain ways are taken: a service need not wait for its kernels.

    Args:
        telemetry: told what could not be loaded.
        loads: what to do for that; each takes seconds.

    """

    def __init__(self, telemetry: Telemetry, loads: Sequence[Callable[[], None]]) -> None:
        self.telemetry, self.loads = telemetry, loads
        self._loading: asyncio.Task[None] | None = None
        _keep()

    async def start(self) -> None:
        """Begin."""
        self._loading = asyncio.create_task(self._load())

    async def stop(self) -> None:
        """Leave what is loaded; a compilation ends with the process."""
        if self._loading is not None:
            self._loading.cancel()

    def unready(self) -> str | None:
        """Keep nobody waiting."""
        return None

    async def _load(self) -> None:
        for load in self.loads:
            try:
                await asyncio.to_thread(load)
            except Exception:
                self.telemetry.count("kernels_failed", load.__module__.rpartition(".")[2])
                self.telemetry.log.exception("going on without compiled code, several times slower")


def _keep() -> None:
    """Keep compiled code in a folder named by its sources; numba looks when it is imported.

    Numba itself compares only the file in which a kernel begins, not those that it calls.
    """
    folder = Path(os.environ.get("NUMBA_CACHE_DIR") or Path.home() / ".cache/driftwheel/kernels")
    digest = hashlib.sha256()
    for path in sorted(path for pattern in SOURCES for path in ROOT.glob(pattern)):
        digest.update(path.read_bytes())
    name = digest.hexdigest()[:16]
    # A child process inherits the folder.
    os.environ["NUMBA_CACHE_DIR"] = str(folder if folder.name == name else folder / name)

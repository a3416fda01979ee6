"""Compiled code: where it is kept, and compiled before the first batch needs it."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from shared.events import EventReader, Field

ROOT = Path(__file__).parents[1]
SOURCES = ("shared/events/*.py", "shared/kafka/murmur2.py", "services/*/domain/**/*.py")
EVERY_KIND = (
    Field("whole", "int"),
    Field("number", "float", nullable=True),
    Field("flag", "bool"),
    Field("text", "category"),
)


def warm_events() -> None:
    """Compile what reads events, of any declaration."""
    EventReader(EVERY_KIND).warm()


class Kernels:
    """A part that loads compiled code from its cache, or compiles it.

    Args:
        warm: what to do for that.

    """

    def __init__(self, warm: Sequence[Callable[[], None]]) -> None:
        self.warm = warm
        _keep()

    async def start(self) -> None:
        """Take seconds where nothing is cached, off the event loop."""
        for one in self.warm:
            await asyncio.to_thread(one)

    async def stop(self) -> None:
        """Leave it loaded."""

    def unready(self) -> str | None:
        """Once there, it stays."""
        return None


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

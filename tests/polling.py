"""Waiting for something, not for a time: asked again until it is so, or a deadline has passed."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any

PAUSE_S = 0.02


async def until(check: Callable[[], Any], seconds: float = 60) -> Any:
    """Poll until `check` answers something true, and return it; it may be a coroutine function."""
    async with asyncio.timeout(seconds):
        while True:
            found = check()
            if found := await found if inspect.isawaitable(found) else found:
                return found
            await asyncio.sleep(PAUSE_S)


def wait_until(check: Callable[[], Any], seconds: float = 60) -> Any:
    """Poll as `until` does, where there is no event loop to keep going."""
    deadline = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s"
        time.sleep(PAUSE_S)
    return found

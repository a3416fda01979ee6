"""Patience with the world: what fails for its sake is tried again until it succeeds."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiokafka.errors import KafkaError

from shared.errors import Transient
from shared.kafka.ledger import CrashLedger
from shared.telemetry import Telemetry

SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 1.0

T = TypeVar("T")


class Abandoned(Exception):
    """The work is let go of while the world was not ready; nothing of it is committed."""


class Patience:
    """Waits for the world, and says so; stops where waiting does not help.

    Args:
        telemetry: of the service.
        group: names the consumer group in logs and metrics.
        transient: further exceptions that mean "the world, not the message".
        ledger: must not blame what waits.

    """

    def __init__(
        self,
        telemetry: Telemetry,
        group: str,
        transient: tuple[type[Exception], ...],
        ledger: CrashLedger,
    ) -> None:
        self.telemetry, self.group, self.ledger = telemetry, group, ledger
        self.transient: tuple[type[Exception], ...]
        self.transient = (Transient, ConnectionError, TimeoutError, KafkaError, *transient)
        self.waiting: str | None = None
        self.halted: str | None = None
        self.ending = asyncio.Event()
        self.let_go = asyncio.Event()

    async def patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        """Repeat the work until the world lets it succeed, with growing, jittered pauses.

        Raises:
            Abandoned: the service ends, or another copy takes the work over.

        """
        pause = SHORTEST_PAUSE_S
        try:
            while True:
                try:
                    return await work()
                except self.transient as error:
                    self._wait_for(error)
                    await self.rest(pause * random.uniform(0.5, 1.5))
                    pause = min(2 * pause, LONGEST_PAUSE_S)
        finally:
            if self.waiting is not None:
                self.go_on()

    async def rest(self, seconds: float) -> None:
        """Do nothing for a while.

        Raises:
            Abandoned: the work is to be let go of.

        """
        try:
            await asyncio.wait_for(self.let_go.wait(), seconds)
        except TimeoutError:
            return
        raise Abandoned(self.waiting or "ending")

    def go_on(self) -> None:
        """End a wait."""
        self.waiting = None
        self.telemetry.gauge("waiting", self.group, 0)

    def end(self) -> None:
        """Let go of what waits, and begin nothing new."""
        self.ending.set()
        self.let_go.set()

    def halt(self, reason: str) -> None:
        """Handle nothing more until the service is started again; what is read stays unread."""
        self.halted = f"halted: {reason}. Fix it, restart the service."
        self.telemetry.log.critical("%s %s", self.group, self.halted, exc_info=True)
        self.telemetry.gauge("halted", self.group, 1)

    def _wait_for(self, error: Exception) -> None:
        self.ledger.excuse(self.group)
        self.telemetry.count("retries", "transient")
        reason = f"waiting: {error!s}"
        if self.waiting is None:
            self.telemetry.log.warning("%s is %s (%r)", self.group, reason, error)
        self.waiting = reason
        self.telemetry.gauge("waiting", self.group, 1)

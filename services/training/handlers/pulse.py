"""The passing of time -> the offline store written, training.decided."""

from __future__ import annotations

import asyncio
import contextlib

from services.training.handlers.deciding import Desk
from services.training.handlers.knowledge import Models
from services.training.handlers.telling import Teller
from services.training.ports import Store
from shared.errors import Transient
from shared.telemetry import Telemetry


class Pulse:
    """Writes what is buffered and looks whether a run is due, every `period_s` seconds."""

    def __init__(
        self,
        telemetry: Telemetry,
        *,
        store: Store,
        desk: Desk,
        models: Models,
        teller: Teller,
        period_s: float,
    ) -> None:
        self.telemetry, self.store, self.desk, self.models = telemetry, store, desk, models
        self.teller, self.period_s = teller, period_s
        self.trouble: str | None = None
        self._looked: dict[str, int | None] = {}
        self._beating: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to beat."""
        self._beating = asyncio.create_task(self._beat_on())

    async def stop(self) -> None:
        """Write what is left."""
        if self._beating is not None:
            self._beating.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._beating
        await self.store.flush()

    def unready(self) -> str | None:
        """Say why the store cannot be written; None when it can."""
        if self._beating is not None and self._beating.done():
            return f"the offline store is no longer written: {self._beating.exception()!r}"
        return self.trouble

    async def beat(self) -> None:
        """Write; where that changed a table, look; tell."""
        await self.store.flush()
        for model in self.models.names():
            version = self.store.version(model)
            if version != self._looked.get(model):
                await self.teller.tell(await self.desk.look(model))
                self._looked[model] = version

    async def _beat_on(self) -> None:
        while True:
            await asyncio.sleep(self.period_s)
            try:
                await self.beat()
                self.trouble = None
            except Transient as error:
                self.trouble = f"waiting: {error}"
                self.telemetry.log.warning(self.trouble)

"""The passing of time -> the offline store written, training.decided."""

from __future__ import annotations

from services.training.handlers.deciding import Desk
from services.training.handlers.knowledge import Models
from services.training.ports import Store
from shared.kafka import Told


class Pulse:
    """Writes what is buffered, and looks whether that makes a run due."""

    def __init__(self, *, store: Store, desk: Desk, models: Models) -> None:
        self.store, self.desk, self.models = store, desk, models
        self._looked: dict[str, int | None] = {}

    async def start(self) -> None:
        """Wait to be asked."""

    async def stop(self) -> None:
        """Write what is left."""
        await self.store.flush()

    def unready(self) -> str | None:
        """Nothing keeps it."""
        return None

    async def beat(self) -> Told:
        """Write; where that changed a table, look."""
        await self.store.flush()
        told = Told()
        for model in self.models.names():
            version = self.store.version(model)
            if version != self._looked.get(model):
                told.events += await self.desk.look(model)
                self._looked[model] = version
        return told

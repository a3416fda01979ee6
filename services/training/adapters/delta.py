"""The offline store on Delta Lake: a folder of tables, one per model."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from deltalake.exceptions import DeltaError

from contracts.declaration import Declaration
from services.training.adapters.table import OutcomeTable
from services.training.domain.spans import Span
from services.training.domain.table import schema
from services.training.ports import Row, Summary
from shared.errors import Transient

T = TypeVar("T")


class DeltaStore:
    """Tables by model; every one is used by one thread at a time, and never on the event loop.

    Args:
        root: folder of the tables.
        pins: model -> versions that runs were given.
        most_rows: buffered rows of a model from which it is written at once.

    """

    def __init__(self, root: Path, *, pins: Callable[[str], Iterable[int]], most_rows: int) -> None:
        self.root, self.pins, self.most_rows = root, pins, most_rows
        self._tables: dict[str, OutcomeTable] = {}
        self._lock = asyncio.Lock()

    async def keep(
        self,
        declaration: Declaration,
        topic: str,
        rows: Sequence[Row],
        through: Mapping[int, int],
    ) -> None:
        """Buffer outcomes; with too many of them in the buffer, write it first."""
        spec = declaration.spec
        columns = schema(spec.task, {name: f.type for name, f in spec.features.items()})
        async with self._lock:
            table = self._table(declaration.name)
            if len(table.buffer) >= self.most_rows or columns != table.schema:
                await self._work(lambda: table.flush(self.pins(declaration.name)))
            await self._work(lambda: table.keep(columns, topic, rows, through))

    async def flush(self, model: str | None = None) -> None:
        """Write what is buffered, of one model or of all."""
        async with self._lock:
            for name, table in list(self._tables.items()):
                if model in (None, name) and table.buffer:
                    pins = self.pins(name)
                    await self._work(lambda table=table, pins=pins: table.flush(pins))  # type: ignore[misc]

    async def summary(self, model: str, *, unlabelled: bool) -> Summary | None:
        """Sum up what is written; None without a table."""
        async with self._lock:
            return await self._work(lambda: self._table(model).summary(unlabelled=unlabelled))

    async def labels_within(self, model: str, spans: Sequence[Span], *, unlabelled: bool) -> int:
        """Count matured labels by event time, each span until before its end."""
        async with self._lock:
            table = self._table(model)
            return await self._work(lambda: table.labels_within(spans, unlabelled=unlabelled))

    async def reopen(
        self, partitions: Mapping[str, tuple[str, frozenset[int]]]
    ) -> dict[tuple[str, int], int]:
        """Forget what is buffered and tell where each partition goes on."""
        async with self._lock:
            for table in self._tables.values():
                await self._work(table.reopen)
            return {
                (topic, partition): self._table(model).next_offset(topic, partition)
                for model, (topic, numbers) in partitions.items()
                for partition in numbers
            }

    def version(self, model: str) -> int | None:
        """Tell the table's version after our last commit; None without a table."""
        return self._table(model).version()

    def uri(self, model: str) -> str:
        """Say where the table is."""
        return str(self.root / model)

    def _table(self, model: str) -> OutcomeTable:
        if model not in self._tables:
            self._tables[model] = OutcomeTable(self.root / model)
        return self._tables[model]

    async def _work(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.to_thread(work)
        except (OSError, DeltaError) as error:
            raise Transient(f"the offline store in {self.root} cannot be used: {error}") from error

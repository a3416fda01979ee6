"""Models from the artifact store: verified by content, tried in a child, then opened here."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from services.serving.ports import Rows, Unusable
from shared.artifacts import Artifacts
from shared.errors import Transient
from shared.models import Model, load
from shared.telemetry import Telemetry

CHILD = "services.serving.run"


@dataclass(frozen=True, slots=True)
class Limits:
    """What the child process may take: wall and CPU seconds, address space."""

    seconds: int
    memory_mb: int


class StoredLibrary:
    """Keeps the models used last in memory; everything slow happens off the event loop.

    Args:
        telemetry: told loudly of what cannot be used.
        root: of the artifact store.
        limits: for the first opening of each model.
        kept: number of models in memory.
        compiler: makes models faster, where one is wanted.

    """

    def __init__(
        self,
        telemetry: Telemetry,
        root: Path,
        limits: Limits,
        *,
        kept: int,
        compiler: Callable[[Model], Model] | None = None,
    ) -> None:
        self.telemetry, self.artifacts = telemetry, Artifacts(root)
        self.limits, self.kept, self.compiler = limits, kept, compiler
        self._models: OrderedDict[str, Model] = OrderedDict()
        self._opening: dict[str, asyncio.Task[Model]] = {}
        self._tried: set[str] = set()
        self._unusable: dict[str, str] = {}

    async def open(self, artifact: str, trial: Rows) -> Model:
        """Take it from memory, or wait until it is opened."""
        if artifact in self._unusable:
            raise Unusable(self._unusable[artifact])
        if artifact in self._models:
            self._models.move_to_end(artifact)
            return self._models[artifact]
        self.prepare(artifact, trial)
        return await asyncio.shield(self._opening[artifact])

    def prepare(self, artifact: str, trial: Rows) -> None:
        """Open it in the background, once."""
        if artifact not in {*self._opening, *self._models, *self._unusable}:
            task = asyncio.create_task(self._open(artifact, trial))
            self._opening[artifact] = task
            # Nobody may be waiting for it: what went wrong is known by then all the same.
            task.add_done_callback(lambda done: done.cancelled() or done.exception())

    def loaded(self) -> frozenset[str]:
        """Digests of the models in memory."""
        return frozenset(self._models)

    def unusable(self) -> Mapping[str, str]:
        """Digests that could not be used, and why."""
        return dict(self._unusable)

    async def _open(self, artifact: str, trial: Rows) -> Model:
        """Open it and take note of what came of that, before anybody hears of it."""
        try:
            model = await self._loaded(artifact, trial)
        except Unusable as error:
            self._refuse(artifact, error)
            raise
        else:
            self._keep(artifact, model)
            return model
        finally:
            del self._opening[artifact]

    async def _loaded(self, artifact: str, trial: Rows) -> Model:
        try:
            files = await asyncio.to_thread(self.artifacts.get, artifact)
            if artifact not in self._tried:
                await asyncio.to_thread(self._try, artifact, trial)
                self._tried.add(artifact)
            return await asyncio.to_thread(self._opened, files)
        except OSError as error:
            raise Transient(f"model files {artifact[:12]} cannot be read: {error}") from error
        except (ValueError, KeyError) as error:
            raise Unusable(f"{artifact[:12]}: {error}") from error

    def _opened(self, files: Mapping[str, bytes]) -> Model:
        model = load(files)
        return self.compiler(model) if self.compiler else model

    def _keep(self, artifact: str, model: Model) -> None:
        self._models[artifact] = model
        while len(self._models) > self.kept:
            self._models.popitem(last=False)

    def _refuse(self, artifact: str, error: Unusable) -> None:
        self._unusable[artifact] = str(error)
        self.telemetry.count("models_unusable", "load")
        self.telemetry.log.error(
            "a model cannot be used, the version before it keeps deciding: %s. Restore its "
            "files from a backup and restart serving, or promote another version.",
            error,
        )

    def _try(self, artifact: str, trial: Rows) -> None:
        """Load and score in a child: LightGBM ends or hangs the process that opens a bad file."""
        numbers = (self.limits.seconds, self.limits.memory_mb)
        arguments = (str(self.artifacts.root), artifact, *map(str, numbers))
        try:
            done = subprocess.run(
                [sys.executable, "-m", CHILD, *arguments],
                input=json.dumps(trial).encode(),
                capture_output=True,
                timeout=self.limits.seconds,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise Unusable(
                f"{artifact[:12]}: it did not load and score within {self.limits.seconds} s"
            ) from error
        if done.returncode:
            last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["no word"]
            how = f"signal {-done.returncode}" if done.returncode < 0 else "an error"
            raise Unusable(f"{artifact[:12]}: its trial ended with {how}: {last[0][:300]}")

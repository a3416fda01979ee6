"""The watch of each version: its baseline, fetched by digest and made ready off the loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from services.monitor.handlers.catalog import Catalog
from services.monitor.ports import Files
from shared.drift.baseline import Baseline
from shared.drift.cells import CategoryCells
from shared.drift.watch import Watch
from shared.errors import Transient
from shared.telemetry import Telemetry

BASELINE = "baseline.json"
MOST_KEPT = 64
PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Watched:
    """A version with a baseline."""

    version: str
    baseline: str
    watch: Watch

    @property
    def kinds(self) -> Mapping[str, str]:
        """Feature -> number or category, in the order in which they are counted."""
        return {
            one.name: "category" if isinstance(one.cells, CategoryCells) else "number"
            for one in self.watch.baseline.features
        }


class Watches:
    """Finds the watch of a version; each is built once.

    A baseline that is not there holds up the records of its model and no others.

    Args:
        telemetry: of the service.
        catalog: knows the baseline of each version.
        files: the artifact store.

    """

    def __init__(self, telemetry: Telemetry, catalog: Catalog, files: Files) -> None:
        self.telemetry, self.catalog, self.files = telemetry, catalog, files
        self._built: dict[tuple[str, int], Watch | None] = {}
        self._unnamed: dict[tuple[str, str], float] = {}
        self._awaited: dict[tuple[str, str], str] = {}
        self._building = asyncio.Lock()

    async def start(self) -> None:
        """Wait for nothing yet."""
        self._awaited.clear()

    async def stop(self) -> None:
        """Leave what is built."""

    def unready(self) -> str | None:
        """Say which baselines are waited for; None when all are there."""
        return "; ".join(self._awaited.values()) or None

    async def lack(self, model: str, versions: Iterable[str]) -> bool:
        """Tell whether versions have to be waited for: then `of` would raise."""
        lacking = [one for one in dict.fromkeys(versions) if not await self._is_there(model, one)]
        return bool(lacking)

    async def look(self) -> None:
        """Look again for what is waited for."""
        for model, version in tuple(self._awaited):
            await self._is_there(model, version)

    async def _is_there(self, model: str, version: str) -> bool:
        known = (model, version) in self._awaited
        try:
            await self.of(model, version)
        except Transient as error:
            if not known:
                self.telemetry.log.warning("%s; other models go on", error)
            self._awaited[model, version] = str(error)
        else:
            self._awaited.pop((model, version), None)
        there = (model, version) not in self._awaited
        if there == known:
            n = sum(waiting == model for waiting, _ in self._awaited)
            self.telemetry.gauge("baselines_awaited", model, n)
        return there

    async def of(self, model: str, version: str) -> Watched | None:
        """Find a version's watch; None for the declared prior and for a corrupt baseline.

        Raises:
            Transient: its baseline, or the plan that names it, is not there yet. A plan is waited
                for a minute: then the version is one that somebody has made up.

        """
        payloads, baseline = self.catalog.payloads(model), self._baseline(model, version)
        if payloads is None or baseline is None:
            return None
        key = (baseline, payloads.promise)
        async with self._building:
            if key not in self._built:
                self._built[key] = await asyncio.to_thread(self._build, model, version, *key)
            watch = self._built.pop(key)
            self._built[key] = watch
            if len(self._built) > MOST_KEPT:
                del self._built[next(iter(self._built))]
        return Watched(version, baseline, watch) if watch else None

    def _baseline(self, model: str, version: str) -> str | None:
        try:
            return self.catalog.baseline(model, version)
        except Transient:
            now = time.monotonic()
            if now - self._unnamed.setdefault((model, version), now) < PATIENCE_S:
                raise
            return None

    def _build(self, model: str, version: str, digest: str, promise: int) -> Watch | None:
        about = f"the baseline {digest[:12]} of {model} {version}"
        try:
            baseline = Baseline.from_bytes(self.files.get(digest)[BASELINE])
        except OSError as error:
            raise Transient(
                f"waiting for {about}: mount the artifact store, or restore the file ({error})"
            ) from error
        except (ValueError, KeyError) as error:
            self.telemetry.count("baselines_refused", model)
            self.telemetry.log.error(
                "%s is corrupt, nothing watches this version: %s. Restore it and restart, or train "
                "a new version.",
                *(about, error),
            )
            return None
        if baseline.unmonitorable:
            blind = "; ".join(baseline.unmonitorable)
            self.telemetry.log.warning("%s sees great changes only in: %s", about, blind)
        return Watch(baseline, promise)

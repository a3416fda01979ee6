"""The watch of each version: its baseline, fetched by digest and made ready off the loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
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

    Args:
        telemetry: of the service.
        catalog: knows the baseline of each version.
        files: the artifact store.

    """

    def __init__(self, telemetry: Telemetry, catalog: Catalog, files: Files) -> None:
        self.telemetry, self.catalog, self.files = telemetry, catalog, files
        self._built: dict[tuple[str, int], Watch | None] = {}
        self._unnamed: dict[tuple[str, str], float] = {}
        self._building = asyncio.Lock()

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
        except FileNotFoundError as error:
            raise Transient(
                f"waiting for {about}: mount the artifact store, or restore {error.filename}"
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

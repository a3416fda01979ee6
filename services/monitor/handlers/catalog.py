"""model.declared, release.changed -> what is known about each model."""

from __future__ import annotations

from contracts.declaration import Declaration
from contracts.registry import ModelDeclared, ReleaseChanged, VersionRef
from services.monitor.handlers.payloads import Payloads
from shared.errors import Transient


class Catalog:
    """The declaration and the champion of every model, the latest revision of each."""

    def __init__(self) -> None:
        self._declared: dict[str, tuple[int, Declaration, Payloads]] = {}
        self._released: dict[str, ReleaseChanged] = {}

    def declare(self, event: ModelDeclared, _: int) -> None:
        """Take a declaration."""
        known = self._declared.get(event.model)
        if known is None or event.revision >= known[0]:
            payloads = Payloads(event.declaration)
            self._declared[event.model] = (event.revision, event.declaration, payloads)

    def release(self, event: ReleaseChanged, _: int) -> None:
        """Take a plan."""
        known = self._released.get(event.model)
        if known is None or event.revision >= known.revision:
            self._released[event.model] = event

    def payloads(self, model: str) -> Payloads | None:
        """Find how a model's records are read; None as long as it is not declared."""
        known = self._declared.get(model)
        return known and known[2]

    def declaration(self, model: str) -> Declaration | None:
        """Find a model's declaration."""
        known = self._declared.get(model)
        return known and known[1]

    def champion(self, model: str) -> VersionRef | None:
        """Find whom the detectors watch; None as long as nothing was released."""
        released = self._released.get(model)
        return released.plan.stable if released else None

    def baseline(self, model: str, version: str) -> str | None:
        """Find the digest of a version's baseline; the declared prior has none.

        Raises:
            Transient: no plan names the version yet.

        """
        released = self._released.get(model)
        if released is None:
            raise Transient(f"waiting for the release of {model}")
        plans = [past.plan for past in released.history] + [released.plan]
        known = {
            ref.version: ref.baseline
            for plan in plans
            for ref in (plan.stable, plan.candidate)
            if ref
        }
        # One older than all that is remembered has left the history.
        if version not in known and _order(version) > max(map(_order, known)):
            raise Transient(f"waiting for the release of {model} {version}")
        return known.get(version)


def _order(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]

"""model.declared, release.changed -> what is known about each model."""

from __future__ import annotations

from contracts.declaration import Declaration
from contracts.registry import ModelDeclared, ReleaseChanged
from services.monitor.domain.drift import Champion
from services.monitor.handlers.payloads import Payloads


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

    def champion(self, model: str) -> Champion | None:
        """Find whom the detectors watch; None as long as nothing was released."""
        released, declaration = self._released.get(model), self.declaration(model)
        if released is None or declaration is None:
            return None
        stable = released.plan.stable
        # The declared prior has been measured on nothing.
        baseline = (stable.loss, stable.loss_sd) if stable.artifact else (None, None)
        return Champion(stable.version, declaration.spec.task, *baseline)

"""model.declared, release.changed, training.decided, model.trained -> what decisions look at."""

from __future__ import annotations

from contracts.declaration import Declaration
from contracts.registry import ModelDeclared, ReleaseChanged, VersionRef
from contracts.training import ModelTrained, TrainingDecided
from services.training.domain.policy import LastRun

PRIOR = VersionRef(
    version="0.0.0", algorithm="prior", artifact=None, trained_at=None, loss=None, loss_sd=None
)


class Models:
    """The declared models and who decides for them; the highest revision counts."""

    def __init__(self) -> None:
        self._declared: dict[str, ModelDeclared] = {}
        self._released: dict[str, ReleaseChanged] = {}

    def declare(self, event: ModelDeclared, _: int) -> None:
        """Take note of a declaration."""
        known = self._declared.get(event.model)
        if known is None or event.revision >= known.revision:
            self._declared[event.model] = event

    def release(self, event: ReleaseChanged, _: int) -> None:
        """Take note of a plan."""
        known = self._released.get(event.model)
        if known is None or event.revision >= known.revision:
            self._released[event.model] = event

    def names(self) -> list[str]:
        """List the declared models."""
        return list(self._declared)

    def declared(self, model: str) -> ModelDeclared | None:
        """Find the declaration in force as the registry told it."""
        return self._declared.get(model)

    def declaration(self, model: str) -> Declaration | None:
        """Find the declaration in force."""
        known = self.declared(model)
        return known.declaration if known else None

    def champion(self, model: str) -> VersionRef:
        """Find the version that decides; the prior until one is released."""
        known = self._released.get(model)
        return known.plan.stable if known else PRIOR


class RunLog:
    """Training's own log: every decision, every end; decisions just taken are reserved in it."""

    def __init__(self) -> None:
        self._decided: dict[str, TrainingDecided] = {}
        self._recorded: set[str] = set()
        self._ended: set[str] = set()

    def decided(self, event: TrainingDecided, _: int) -> None:
        """Take note of a decision that stands in the log."""
        self._decided.setdefault(event.run_id, event)
        self._recorded.add(event.run_id)

    def trained(self, event: ModelTrained, _: int) -> None:
        """Take note of the end of a run."""
        self._ended.add(event.run_id)

    def reserve(self, event: TrainingDecided) -> None:
        """Hold a decision that is being published: until it is, the same cause gets the same."""
        self._decided.setdefault(event.run_id, event)

    def find(self, run_id: str) -> TrainingDecided | None:
        """Find the decision of a run."""
        return self._decided.get(run_id)

    def is_recorded(self, run_id: str) -> bool:
        """Say whether the decision stands in the log."""
        return run_id in self._recorded

    def has_ended(self, run_id: str) -> bool:
        """Say whether the run's end stands in the log."""
        return run_id in self._ended

    def last(self, model: str) -> LastRun | None:
        """Find the last run of a model."""
        runs = self._started(model)
        if not runs:
            return None
        return LastRun(runs[-1].at, runs[-1].labels, self.has_ended(runs[-1].run_id))

    def unfinished(self) -> list[TrainingDecided]:
        """List the runs that go on: of each model the last started one, if it has not ended."""
        last = {run.model: run for run in self._decided.values() if run.decision == "started"}
        return [
            run
            for run in last.values()
            if self.is_recorded(run.run_id) and not self.has_ended(run.run_id)
        ]

    def pins(self, model: str) -> list[int]:
        """List the table versions that runs were given."""
        versions = {run.dataset_version for run in self._started(model)}
        return sorted(version for version in versions if version is not None)

    def _started(self, model: str) -> list[TrainingDecided]:
        return [
            event
            for event in self._decided.values()
            if event.model == model and event.decision == "started"
        ]

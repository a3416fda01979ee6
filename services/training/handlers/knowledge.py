"""model.declared, release.changed, training.decided, model.trained -> what decisions look at."""

from __future__ import annotations

from datetime import datetime

from contracts.declaration import Declaration
from contracts.registry import ModelDeclared, ReleaseChanged, VersionRef
from contracts.training import ModelTrained, TrainingDecided
from services.training.domain.situation import LastRun
from services.training.domain.spans import Span

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
        self._ended: dict[str, ModelTrained] = {}

    def decided(self, event: TrainingDecided, _: int) -> None:
        """Take note of a decision that stands in the log."""
        self._decided.setdefault(event.run_id, event)
        self._recorded.add(event.run_id)

    def trained(self, event: ModelTrained, _: int) -> None:
        """Take note of the end of a run."""
        self._ended[event.run_id] = event

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
        end = self._ended.get(runs[-1].run_id)
        return LastRun(
            run_id=runs[-1].run_id,
            at=runs[-1].at,
            labels=runs[-1].labels,
            ended=end is not None,
            brought=end is not None and brought(end),
        )

    def learned(self, model: str, artifact: str | None) -> int | None:
        """Count the labels at hand when a model was trained; the prior has seen none."""
        if artifact is None:
            return 0
        ends = (self._ended.get(run.run_id) for run in self._started(model))
        found = {end.run_id for end in ends if end and end.artifact == artifact}
        return next((run.labels for run in self._started(model) if run.run_id in found), None)

    def tried(self, model: str) -> int:
        """Count the labels of the last run that brought a candidate and was not about drift."""
        runs = [run for run in self._started(model) if not run.since]
        ends = [self._ended.get(run.run_id) for run in runs]
        counts = [run.labels for run, end in zip(runs, ends, strict=True) if end and brought(end)]
        return counts[-1] if counts else 0

    def answered(self, model: str) -> datetime | None:
        """Tell until when drift has been answered: by a run that goes on or brought a candidate."""
        runs = [run for run in self._started(model) if run.since]
        ends = [self._ended.get(run.run_id) for run in runs]
        kept = [run.at for run, end in zip(runs, ends, strict=True) if not end or brought(end)]
        return max(kept, default=None)

    def spoilt(self, model: str) -> list[Span]:
        """List the event times that the last decision left out: alerts are not kept for ever."""
        decisions = [event for event in self._decided.values() if event.model == model]
        spans = decisions[-1].excluded if decisions else ()
        return [(span.start, span.end) for span in spans]

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


def brought(end: ModelTrained) -> bool:
    """Say whether a run has brought a candidate."""
    return end.status == "trained"

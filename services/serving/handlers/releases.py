"""What decides each model: its declaration, and the plans of its traffic."""

from __future__ import annotations

from dataclasses import dataclass, field

from contracts.declaration import Declaration
from contracts.registry import ModelDeclared, ReleaseChanged
from contracts.registry import Plan as ReleasePlan
from services.serving.domain.answers import Rule, trial_rows
from services.serving.domain.timeline import FROM_THE_BEGINNING, Plan, Timeline
from services.serving.ports import Library, Rows
from shared.columns import Alignment, Columns
from shared.events import EventReader, fields_of
from shared.models import Prior


@dataclass(frozen=True, slots=True)
class Release:
    """What decides one model: its declaration and the plans of its traffic.

    Attributes:
        reader: turns events into columns.
        trial: rows to try a new version on.
        prior: answers as long as there is no version.

    """

    declaration: Declaration
    timeline: Timeline
    reader: EventReader
    rule: Rule
    trial: Rows
    prior: Prior
    _alignments: dict[str | None, Alignment] = field(default_factory=dict)

    @classmethod
    def of(cls, declaration: Declaration, timeline: Timeline, reader: EventReader) -> Release:
        """Derive what follows from the declaration."""
        spec = declaration.spec
        features = [{"name": name, **vars(feature)} for name, feature in spec.features.items()]
        rule = Rule(spec.task, declaration.threshold, spec.classes or ())
        prior = Prior(spec.prior or 0.0)
        return cls(declaration, timeline, reader, rule, trial_rows(features), prior)

    def alignment(self, plan: Plan, columns: Columns) -> Alignment:
        """Find the way from the reader's columns to those of a plan's version."""
        if plan.artifact not in self._alignments:
            declared = tuple(self.declaration.spec.features)
            self._alignments[plan.artifact] = Alignment(declared, columns)
        return self._alignments[plan.artifact]


class Releases:
    """The release of every model, as the control plane has told it so far."""

    def __init__(self, library: Library, *, kernels: bool) -> None:
        self.library, self.kernels = library, kernels
        self._readers: dict[str, EventReader] = {}
        self._declared: dict[str, ModelDeclared] = {}
        self._timelines: dict[str, tuple[int, Timeline]] = {}
        self._releases: dict[str, Release] = {}

    def get(self, model: str) -> Release | None:
        """Name what decides this model; None until its declaration and a plan are known."""
        return self._releases.get(model)

    def timelines(self) -> dict[str, Timeline]:
        """List the plans of every model."""
        return {model: timeline for model, (_, timeline) in self._timelines.items()}

    def declare(self, event: ModelDeclared, _: int) -> None:
        """Take over a declaration; an older revision changes nothing."""
        known = self._declared.get(event.model)
        if known is None or known.revision <= event.revision:
            self._declared[event.model] = event
            self._readers[event.model] = EventReader(
                fields_of(event.declaration), kernels=self.kernels
            )
            self._combine(event.model)

    def change(self, event: ReleaseChanged, append_ms: int) -> None:
        """Take over a plan; an older revision changes nothing."""
        revision, known = self._timelines.get(event.model, (0, None))
        if event.revision < revision:
            return
        dated = [
            (
                past.effective.timestamp() * 1000 if past.effective else FROM_THE_BEGINNING,
                _plan(past.plan),
            )
            for past in event.history
        ]
        dated.append((append_ms + event.lead_ms, _plan(event.plan)))
        self._timelines[event.model] = (event.revision, Timeline.of(dated, known))
        self._combine(event.model)

    def _combine(self, model: str) -> None:
        if model in self._declared and model in self._timelines:
            declaration, (_, timeline) = self._declared[model].declaration, self._timelines[model]
            release = Release.of(declaration, timeline, self._readers[model])
            self._releases[model] = release
            if artifact := release.timeline.plans[-1].artifact:
                self.library.prepare(artifact, release.trial)


def _plan(plan: ReleasePlan) -> Plan:
    return Plan(plan.plan_id, plan.stable.version, plan.stable.artifact, plan.withdrawn)

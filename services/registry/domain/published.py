"""What already stands in the compacted topics that follow from the log."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from services.registry.domain.facts import Promoted, VersionRef
from services.registry.domain.state import Entry, State

LONGEST_HISTORY = 1000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Plan:
    """Which version decides; the id is that of the entry that promoted it."""

    plan_id: str
    stable: VersionRef
    withdrawn: str | None = None


@dataclass(frozen=True, slots=True)
class PastPlan:
    """An earlier plan with the broker time from which it was in force."""

    effective: datetime | None
    plan: Plan


@dataclass(slots=True)
class Published:
    """Revisions that were told, and the plans in order.

    Attributes:
        declared: model -> highest revision in model.declared.
        released: model -> highest revision in release.changed.
        plans: model -> its plans, oldest first, at most 1000.

    """

    declared: dict[str, int] = field(default_factory=dict)
    released: dict[str, int] = field(default_factory=dict)
    plans: dict[str, tuple[PastPlan, ...]] = field(default_factory=dict)

    def add_declaration(self, model: str, revision: int) -> None:
        """Note a declaration that was read back."""
        self.declared[model] = max(revision, self.declared.get(model, 0))

    def add_release(
        self, model: str, revision: int, history: tuple[PastPlan, ...], plan: Plan, effect_ms: int
    ) -> None:
        """Note a plan that was read back; of several copies the first counts.

        Args:
            model: the model.
            revision: of the entry that promoted.
            history: the plans before, as the record has them.
            plan: the new plan.
            effect_ms: broker time from which it is in force, milliseconds since 1970.

        """
        if revision <= self.released.get(model, 0):
            return
        past = PastPlan(EPOCH + timedelta(milliseconds=effect_ms), plan)
        self.released[model] = revision
        self.plans[model] = (*history, past)[-LONGEST_HISTORY:]

    def lacks(self, model: str, state: State) -> bool:
        """Tell whether something that follows from the log was not told."""
        last = state.promotions[-1] if state.promotions else 0
        return state.declared_at > self.declared.get(model, 0) or last > self.released.get(model, 0)


def plan_of(entry: Entry, state: State) -> Plan:
    """Derive the plan that a promotion leads to.

    A version that was rolled back from decides nothing from receipt on.
    """
    promoted = entry.fact
    assert isinstance(promoted, Promoted)
    withdrawn = promoted.previous if promoted.how == "rollback" else None
    return Plan(entry.event_id, state.reference(promoted.version), withdrawn)

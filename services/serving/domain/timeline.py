"""Which version decides a record: the plan in force when the broker took the record."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FROM_THE_BEGINNING = float("-inf")


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan of the traffic, as far as deciding goes.

    Attributes:
        artifact: digest of the stable version's files; None for the declared prior.
        withdrawn: version that decides nothing any more, whatever the record's append time.

    """

    plan_id: str
    version: str
    artifact: str | None
    withdrawn: str | None = None


@dataclass(frozen=True, slots=True)
class Timeline:
    """The plans of a model, oldest first, with the broker's time in ms from which each holds.

    Attributes:
        standing: of each plan the index of the one that stands in for it: itself, or, when its
            version was withdrawn later, the plan that withdrew it.

    """

    times: tuple[float, ...]
    plans: tuple[Plan, ...]
    standing: tuple[int, ...]

    @classmethod
    def of(cls, dated: Sequence[tuple[float, Plan]], known: Timeline | None = None) -> Timeline:
        """Put plans in order; the time of a plan that is known already does not change any more.

        Raises:
            ValueError: there is no plan.

        """
        if not dated:
            raise ValueError("a timeline needs at least one plan")
        times = known.time_by_id() if known else {}
        plans: dict[str, Plan] = {}
        for time, plan in dated:
            times.setdefault(plan.plan_id, time)
            plans.setdefault(plan.plan_id, plan)
        ordered = tuple(sorted(plans.values(), key=lambda plan: times[plan.plan_id]))
        return cls(tuple(times[plan.plan_id] for plan in ordered), ordered, _standing(ordered))

    def time_by_id(self) -> dict[str, float]:
        """Index the times by plan."""
        return dict(zip((plan.plan_id for plan in self.plans), self.times, strict=True))

    def in_force(self, time: float) -> int:
        """Index of the plan that decides a record taken by the broker at `time`, in ms.

        Before the first plan the first one counts.
        """
        return self.standing[max(0, bisect_right(self.times, time) - 1)]

    def all_in_force(self, times: NDArray[np.float64]) -> NDArray[np.intp]:
        """Index of each plan that decides a record taken by the broker at `times`, in ms."""
        places = np.searchsorted(self.times, times, side="right") - 1
        return np.asarray(self.standing, dtype=np.intp)[np.maximum(places, 0)]

    def choices(self, index: int) -> Iterator[Plan]:
        """Yield the plan at `index`, then those before it, newest first, but none withdrawn."""
        yield self.plans[index]
        for earlier in range(index - 1, -1, -1):
            if self.standing[earlier] == earlier:
                yield self.plans[earlier]


def _standing(plans: Sequence[Plan]) -> tuple[int, ...]:
    standing, withdrawn_by = list(range(len(plans))), dict[str, int]()
    for index in reversed(range(len(plans))):
        plan = plans[index]
        if plan.version in withdrawn_by:
            standing[index] = standing[withdrawn_by[plan.version]]
        if plan.withdrawn is not None:
            withdrawn_by[plan.withdrawn] = index
    return tuple(standing)

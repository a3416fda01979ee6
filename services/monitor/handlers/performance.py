"""Complete windows of matured outcomes -> performance.measured."""

from __future__ import annotations

from contracts import Event
from contracts.base import Window
from contracts.declaration import Declaration
from contracts.performance import PerformanceMeasured, SlicePerformance
from services.monitor.domain.merging import Whole
from services.monitor.domain.sums import Sums, VersionSums
from services.monitor.domain.tallies import WindowSums
from services.monitor.handlers.payloads import moment

MOST_SLICES = 1000


def measured(window: Whole[WindowSums], declaration: Declaration) -> list[Event]:
    """Tell how each version did in a complete window."""
    label, model = declaration.spec.label, declaration.name
    at = moment(window.end) + label.horizon + label.lateness
    binary = declaration.spec.task == "binary"
    told: list[Event] = []
    for version, sums in sorted(window.counts.versions.items()):
        total = sums.total
        told.append(
            PerformanceMeasured.caused_by(
                f"window:{model}:{moment(window.start).isoformat()}",
                distinct=version,
                model=model,
                at=at,
                version=version,
                window=Window(start=moment(window.start), end=moment(window.end)),
                n=total.n,
                labelled=total.labelled,
                metric=str(declaration.spec.metric),
                loss=_mean(total.loss, total),
                predicted=_mean(total.predicted, total),
                observed=_mean(total.observed, total),
                cost=_mean(total.cost, total) if binary else None,
                slices=_slices(sums),
            )
        )
    return told


def _slices(sums: VersionSums) -> tuple[SlicePerformance, ...]:
    found = [
        SlicePerformance(
            feature=feature,
            value=value,
            labelled=part.labelled,
            loss=part.loss / part.labelled,
            predicted=part.predicted / part.labelled,
            observed=part.observed / part.labelled,
        )
        for feature, by_value in sorted(sums.slices.items())
        for value, part in sorted(by_value.items())
        if part.labelled
    ]
    largest = sorted(found, key=lambda part: -part.labelled)[:MOST_SLICES]
    return tuple(sorted(largest, key=lambda part: (part.feature, part.value)))


def _mean(whole: float, sums: Sums) -> float | None:
    return whole / sums.labelled if sums.labelled else None

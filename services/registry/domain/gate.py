"""The gate: what a candidate must have shown before it replaces the champion by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from services.registry.domain.facts import Check, Evaluation, Gated, Interval, Registered, Slice


@dataclass(frozen=True, slots=True)
class Rules:
    """What the declaration asks for.

    Attributes:
        declaration: digest of the declaration in force.
        metric: the loss, lower is better.
        confidence: of every bound of an interval.
        slice_rows: fewer rows are not judged.
        slice_margin: share of the champion's loss that a slice may lose.
        slices: feature -> how many values it can have; None: any number.

    """

    declaration: str
    metric: str
    confidence: float
    slice_rows: int
    slice_margin: float
    slices: Mapping[str, int | None]

    @classmethod
    def of(cls, digest: str, declaration: Mapping[str, Any]) -> Self:
        """Read the rules out of a declaration."""
        spec = declaration["spec"]
        slices = {name: _values(spec["features"][name]) for name in spec["slices"]}
        return cls(digest, spec["metric"], **spec["gates"], slices=slices)


def judged(candidate: Registered, champion: str, rules: Rules) -> Gated:
    """Judge a candidate on its evidence; every check must pass."""
    evaluation = candidate.evaluation
    checks = (
        _declaration(candidate, rules),
        _champion(evaluation, champion),
        _evidence(evaluation, rules),
        _rows(evaluation, rules),
        _prior(evaluation),
        _superiority(candidate.version.version, evaluation),
        *(_slice(part, rules) for part in evaluation.slices if part.rows >= rules.slice_rows),
    )
    return Gated(candidate.version.version, all(check.passed for check in checks), checks)


def reason(gated: Gated) -> str:
    """Say in words why a version was refused, or by what it has convinced."""
    failed = [check.detail for check in gated.checks if not check.passed]
    if not failed:
        shown = next(check.detail for check in gated.checks if check.name == "superiority")
        slices = sum(check.name.startswith("slice ") for check in gated.checks)
        return f"passed: {shown}; {slices} slices judged"
    more = f"; and {len(failed) - 3} more" if len(failed) > 3 else ""
    return ("refused: " + "; ".join(failed[:3]))[:1900] + more


def _declaration(candidate: Registered, rules: Rules) -> Check:
    same = candidate.declaration == rules.declaration
    detail = (
        f"trained under declaration {rules.declaration[:12]}"
        if same
        else f"trained under declaration {candidate.declaration[:12]}, "
        f"but {rules.declaration[:12]} is in force: train again"
    )
    return Check("declaration", same, detail)


def _champion(evaluation: Evaluation, champion: str) -> Check:
    current = evaluation.champion_version == champion
    detail = (
        f"measured against {champion}"
        if current
        else f"stale: measured against {evaluation.champion_version}, champion is {champion}"
    )
    return Check("champion", current, detail)


def _evidence(evaluation: Evaluation, rules: Rules) -> Check:
    lacking = list(_lacking(evaluation, rules))
    return Check("evidence", not lacking, "; ".join(lacking)[:1000] or "complete")


def _lacking(evaluation: Evaluation, rules: Rules) -> Iterator[str]:
    if evaluation.metric != rules.metric:
        yield f"measured by {evaluation.metric}, but {rules.metric} is declared"
    intervals = [evaluation.difference, *(part.difference for part in evaluation.slices)]
    weakest = min(interval.confidence for interval in intervals)
    if weakest < rules.confidence - 1e-9:
        yield f"confidence {weakest:g}, but {rules.confidence:g} is declared"
    for feature, values in rules.slices.items():
        listed = [part.rows for part in evaluation.slices if part.feature == feature]
        unlisted = evaluation.rows - sum(listed)
        # With all remaining values below slice_rows, no more rows than this could be unlisted.
        if values is not None and unlisted > (rules.slice_rows - 1) * max(0, values - len(listed)):
            yield f"{unlisted:,} rows are in no slice of {feature}"


def _rows(evaluation: Evaluation, rules: Rules) -> Check:
    enough = evaluation.rows >= rules.slice_rows
    need = "" if enough else f", {rules.slice_rows:,} are needed (gates.slice_rows)"
    return Check("rows", enough, f"{evaluation.rows:,} pinned rows{need}")


def _prior(evaluation: Evaluation) -> Check:
    better = evaluation.candidate_loss < evaluation.prior_loss
    verb = "beats" if better else "does not beat"
    losses = f"{short(evaluation.candidate_loss)} against {short(evaluation.prior_loss)}"
    return Check("prior", better, f"{verb} the declared prior: {evaluation.metric} {losses}")


def _superiority(version: str, evaluation: Evaluation) -> Check:
    better = evaluation.difference.high < 0
    verb = "is better than" if better else "is not shown better than"
    losses = f"{short(evaluation.candidate_loss)} against {short(evaluation.champion_loss)}"
    return Check(
        "superiority",
        better,
        f"{version} {verb} {evaluation.champion_version}: {evaluation.metric} {losses} "
        f"on {evaluation.rows:,} pinned rows, difference {spelled(evaluation.difference)}",
    )


def _slice(part: Slice, rules: Rules) -> Check:
    """Refuse a slice that is shown to lose more than the margin: all of its interval is above."""
    margin = rules.slice_margin * part.champion_loss
    harmed = part.difference.low > margin
    verb = "loses more than" if harmed else "is not shown to lose more than"
    return Check(
        f"slice {part.feature}={part.value}"[:300],
        not harmed,
        f"slice {part.feature}={part.value} {verb} {short(margin)} on {part.rows:,} rows: "
        f"difference {spelled(part.difference)}",
    )


def short(number: float, digits: int = 4) -> str:
    """Write a number with fixed decimals and without the zero before the point."""
    text = f"{number:.{digits}f}"
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text


def spelled(interval: Interval) -> str:
    """Write a signed difference and its interval, finer where it is small."""
    digits = 4 if abs(interval.mean) >= 0.0005 else 6
    mean, low, high = (
        ("-" if value < 0 else "+") + short(abs(value), digits)
        for value in (interval.mean, interval.low, interval.high)
    )
    return f"{mean} [{low}, {high}]"


def _values(feature: Mapping[str, Any]) -> int | None:
    """Count the values a slice's feature can have, "missing" included; None: unbounded."""
    if feature["type"] == "bool":
        return 2 + int(feature["nullable"])
    categories = feature["categories"]
    return None if categories is None else len(categories) + int(feature["nullable"])

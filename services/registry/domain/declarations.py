"""What a changed declaration means for those who send events and for the next version."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Json = Mapping[str, Any]


def breaking_changes(old: Json, new: Json) -> list[str]:
    """List what callers would have to follow, naming the field; empty when nothing breaks.

    Knobs (gates, retraining, drift, slices, cost, metric, descriptions), ranges, categories and the
    label's horizon may change; a feature may be added when it is nullable.

    Args:
        old: the declaration in force, as JSON with all defaults.
        new: the declaration that is to replace it.

    """
    before, after = old["spec"], new["spec"]
    fixed = [
        (f"spec.{name}", before[name], after[name])
        for name in ("task", "classes", "prior")
        if before[name] != after[name]
    ]
    fixed += [
        (f"spec.label.{name}", before["label"][name], after["label"][name])
        for name in ("name", "missing")
        if before["label"][name] != after["label"][name]
    ]
    changes = [f"{field} changes from {was!r} to {becomes!r}" for field, was, becomes in fixed]
    return changes + list(_features(before["features"], after["features"]))


def same_contract(old: Json, new: Json) -> bool:
    """Tell whether a model trained under `new` differs from one under `old` by its data alone."""
    return all(old["spec"][part] == new["spec"][part] for part in ("features", "label", "metric"))


def _features(before: Json, after: Json) -> Iterator[str]:
    for name in before.keys() - after.keys():
        yield f"spec.features.{name} is removed"
    for name, feature in after.items():
        field = f"spec.features.{name}"
        if name not in before:
            if not feature["nullable"]:
                yield f"{field} is new and not nullable, so events without it would be refused"
            continue
        was = before[name]
        if was["type"] != feature["type"]:
            yield f"{field}.type changes from {was['type']} to {feature['type']}"
        if was["nullable"] and not feature["nullable"]:
            yield f"{field}.nullable changes from true to false"
        if was["unit"] is not None and was["unit"] != feature["unit"]:
            yield f"{field}.unit changes from {was['unit']!r} to {feature['unit']!r}"

"""What monitor compares a version's traffic with: measured on rows that the model has not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import numpy as np

from services.training.run.dataset import Rows
from services.training.run.importance import importance
from shared.drift.fitting import Held, Reference, fit
from shared.drift.spans import reference_windows
from shared.losses import losses
from shared.models import Model

MOST_PAST = 1_000_000
NAMED = 5
KINDS: Mapping[str, Literal["number", "category"]] = {
    "int": "number",
    "float": "number",
    "bool": "category",
    "category": "category",
}


@dataclass(frozen=True, slots=True)
class Built:
    """The document, and in words what it cannot watch; without a document, why there is none."""

    document: bytes | None
    remark: str = ""


def build(model: Model, held_out: Rows, events: Rows, seed: int) -> Built:
    """Fit the baseline of a model; the same rows give the same bytes.

    Args:
        model: as serving opens it.
        held_out: labelled rows that it was not fitted on.
        events: all matured events up to the pin, for what varies by nature, and for how many
            labels come and when; of very many the newest.
        seed: of the replayed windows.

    """
    if not len(held_out):
        return Built(None, "no baseline: no row was held out")
    promise = held_out.declaration.spec.drift.false_alarms
    try:
        baseline = fit(_reference(model, held_out, events), promise=promise, seed=seed)
    except ValueError as error:
        return Built(None, f"no baseline: {error}")
    return Built(baseline.to_bytes(), _blind(baseline.unmonitorable))


def _blind(unmonitorable: Sequence[str]) -> str:
    """Name some of what is not watched; the document names all."""
    if not unmonitorable:
        return ""
    more = f"; and {len(unmonitorable) - NAMED} more" if len(unmonitorable) > NAMED else ""
    return "not watched: " + "; ".join(unmonitorable[:NAMED]) + more


def _reference(model: Model, held_out: Rows, events: Rows) -> Reference:
    spec, past = held_out.declaration.spec, events.newest(MOST_PAST)
    window = spec.drift.window // timedelta(microseconds=1)
    arrived, groups = past.arrived, reference_windows(past.times, window)
    return Reference(
        task=spec.task,
        classes=spec.classes or (),
        window_us=window,
        kinds={name: KINDS[feature.type] for name, feature in spec.features.items()},
        importance=importance(model, held_out),
        held_out=_held(model, held_out),
        past_times=past.times,
        past={name: past.column(name) for name in spec.features},
        delays_us=past.delays,
        arrived=float(arrived.mean()),
        matured=np.column_stack([np.bincount(groups), np.bincount(groups, arrived)]).astype(int),
    )


def _held(model: Model, rows: Rows) -> Held:
    spec = rows.declaration.spec
    scores = model.score(rows.features)
    return Held(
        times=rows.times,
        features={name: rows.column(name) for name in spec.features},
        scores=scores,
        labels=rows.labels,
        losses=losses(spec.metric or "", scores, rows.labels),
        slices={name: rows.texts(name) for name in spec.slices},
    )

"""What is sent to the monitor in a storm: predictions and labels, with all that labels do."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from contracts.declaration import Declaration

DAY0 = datetime(2013, 6, 1, tzinfo=UTC)
HORIZON_H, LATENESS_H, WINDOW_H = 4.0, 0.5, 6
PER_HOUR = 20
END_H, ENDS = 999.0, 30
CARRIERS = ("AA", "B6", "UA")


@dataclass(frozen=True, slots=True)
class Prediction:
    """A prediction; `hours` after the first of June."""

    id: str
    hours: float
    version: str
    score: float
    carrier: str

    def written(self, model: str) -> bytes:
        """Write it as serving does."""
        return json.dumps(
            {
                "id": self.id,
                "time": at(self.hours),
                "model": model,
                "version": self.version,
                "score": self.score,
                "decision": self.score >= 0.5,
                "features": {"carrier": self.carrier, "plan": None},
                "plan": "p",
                "role": "stable",
                "shadow": None,
            }
        ).encode()


@dataclass(frozen=True, slots=True)
class Label:
    """A label: the truth as it was known at `hours`."""

    id: str
    hours: float
    value: bool

    def written(self) -> bytes:
        """Write it as validation does."""
        return json.dumps({"id": self.id, "time": at(self.hours), "value": self.value}).encode()


@dataclass(slots=True)
class Said:
    """Everything that is sent about one model.

    Attributes:
        model: its name.
        missing: what `label.missing` declares.
        predictions: by id, without the copies and without those that only move the time on.
        labels: id -> its different labels, in the order in which they are sent.
        sendings: hours at which something is sent, and what; in that order.

    """

    model: str
    missing: str
    predictions: dict[str, Prediction] = field(default_factory=dict)
    labels: dict[str, list[Label]] = field(default_factory=dict)
    sendings: list[tuple[float, Prediction | Label]] = field(default_factory=list)

    def chunks(self, hours: float) -> Iterator[tuple[list[Label], list[Prediction]]]:
        """Part it by the time at which it is sent."""
        start, last = self.sendings[0][0], self.sendings[-1][0]
        while start <= last:
            now = [one for at, one in self.sendings if start <= at < start + hours]
            labels = [one for one in now if isinstance(one, Label)]
            yield labels, [one for one in now if isinstance(one, Prediction)]
            start += hours

    def ends(self) -> list[Prediction]:
        """Make predictions, for every partition, that let all others mature."""
        return [Prediction(f"end{n}", END_H, "0.0.0", 0.5, "UA") for n in range(ENDS)]


def said(model: str, *, seed: int, n: int, missing: str = "drop") -> Said:
    """Make up a stream in which labels are early, late, twice, revised, or never come."""
    lots, told = random.Random(seed), Said(model, missing)
    for number in range(n):
        event_id, hours = f"e{number}", number / PER_HOUR
        version = "0.1.0" if number % 5 == 0 else "0.0.0"
        # Event times are out of order, by less than the lateness.
        disordered = hours - lots.choice((0.0, 0.0, 0.2, 0.4))
        one = Prediction(
            event_id, disordered, version, lots.randint(1, 99) / 100, lots.choice(CARRIERS)
        )
        told.predictions[event_id] = one
        told.sendings.append((hours, one))
        if number % 31 == 0:
            told.sendings.append((hours + lots.choice((0.01, 8.0)), one))
        for known, sent in _times(number % 16, disordered, lots):
            label = Label(event_id, known, lots.random() < 0.3)
            told.labels.setdefault(event_id, []).append(label)
            told.sendings.append((sent, label))
            if number % 29 == 0:
                told.sendings.append((sent + lots.choice((0.02, 12.0)), label))
    told.sendings.sort(key=lambda sending: sending[0])
    return told


def _times(kind: int, hours: float, lots: random.Random) -> list[tuple[float, float]]:
    """List when the labels of a prediction are known, and when they are sent."""
    match kind:
        case 0:
            return []
        case 1:  # before its prediction
            return [(hours - 0.2, hours - 0.2)]
        case 2:  # after the horizon
            return [(hours + 30, hours + 30)]
        case 3:  # revised before maturity
            return [(hours + 1, hours + 1), (hours + 3, hours + 3)]
        case 4:  # revised after maturity
            return [(hours + 1, hours + 1), (hours + 40, hours + 40)]
        case 5:  # twice
            return [(hours + 6, hours + 6), (hours + 9, hours + 9)]
        case 6:  # an older truth arrives after a newer one
            return [(hours + 1, hours + 1), (hours + 0.5, hours + 1.2)]
        case 7:  # an older truth arrives long after a newer one: it changes nothing
            return [(hours + 2, hours + 2), (hours + 1, hours + 20)]
        case 8:  # of two truths of one time the later one counts
            return [(hours + 2, hours + 2), (hours + 2, hours + 2.3)]
    known = hours + lots.uniform(0.1, 3.5)
    return [(known, known)]


def declaration(told: Said) -> Declaration:
    """Declare the model of a stream."""
    label = {"name": "late", "horizon": f"{HORIZON_H:.0f}h", "missing": told.missing}
    spec = {
        "task": "binary",
        "features": {"carrier": {"type": "category"}, "plan": {"type": "int", "nullable": True}},
        "label": label,
        "slices": ["carrier"],
        "drift": {"window": f"{WINDOW_H}h"},
    }
    document = {"apiVersion": "driftwheel/v1", "kind": "Model", "metadata": {"name": told.model}}
    return Declaration.model_validate_json(json.dumps(document | {"spec": spec}))


def at(hours: float) -> str:
    """Write a time to the microsecond."""
    return moment(hours).isoformat().replace("+00:00", "Z")


def moment(hours: float) -> datetime:
    """Turn hours after the first of June into a time."""
    return DAY0 + timedelta(hours=hours)

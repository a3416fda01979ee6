"""What an alarm recommends.

| data-quality alert | inputs, impact | calibration | loss, slices | recommended |
|---|---|---|---|---|
| during the evidence | any | any | any | do not retrain; mend the data |
| - | alarm | - | - | nothing: inputs alone make no model wrong |
| - | any | alarm | any | retrain on the windows since the change |
| - | - | - | alarm | retrain; look at slices and at the mix of labels |

Without any alarm, age and volume are the backstop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from services.monitor.domain.ledger import Span

Drift = Literal["inputs", "impact", "loss", "calibration", "slices"]
Fault = Literal["quality", "labels", "intake"]

FAULTS: Final[dict[str, Fault]] = {"quality": "quality", "labels": "labels", "intake": "intake"}
DOUBTS: Final[tuple[Drift, ...]] = ("loss", "calibration", "slices")
ADVICE: Final[dict[Drift, str]] = {
    "inputs": "inputs that move make no model wrong by themselves: no reason to retrain",
    "impact": "no reason to retrain before labels say so: watch loss and calibration",
    "calibration": "retrain on the windows since the change",
    "loss": "retrain; look at the slices and at the mix of labels",
    "slices": "retrain; what has changed there?",
}
DRIFTS: Final[dict[str, Drift]] = {name: name for name in ADVICE}


@dataclass(frozen=True, slots=True)
class Advice:
    """What an alarm recommends, and why in words."""

    recommendation: Literal["retrain", "inform"]
    reason: str


def advice(detector: Drift, since: int, until: int, alerts: Sequence[Span]) -> Advice:
    """Say what to do about drift.

    Args:
        detector: that has found it.
        since: start of its evidence, microseconds.
        until: end of its evidence.
        alerts: times under a data-quality alert.

    """
    if detector not in DOUBTS:
        return Advice("inform", ADVICE[detector])
    broken = sorted({name for span in alerts if span.spoils(since, until) for name in span.blamed})
    if broken:
        names = ", ".join(broken)
        return Advice("inform", f"do not retrain on it: mend {names} first, data were broken")
    return Advice("retrain", ADVICE[detector])

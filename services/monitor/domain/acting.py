"""What an alarm recommends, in words; `shared.drift.standing` has the rules.

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
from typing import Final, Literal

Drift = Literal["inputs", "impact", "loss", "calibration", "slices"]

ADVICE: Final[dict[Drift, str]] = {
    "inputs": "inputs that move make no model wrong by themselves: no reason to retrain",
    "impact": "no reason to retrain before labels say so: watch loss and calibration",
    "calibration": "retrain on the windows since the change",
    "loss": "retrain; look at the slices and at the mix of labels",
    "slices": "retrain; what has changed there?",
}
DRIFTS: Final[dict[str, Drift]] = {name: name for name in ADVICE}


def advice(detector: Drift, broken: Sequence[str]) -> str:
    """Say what to do about drift, and why.

    Args:
        detector: that has found it.
        broken: what was broken in the data that the evidence rests on.

    """
    if broken:
        return f"do not retrain on it: mend {', '.join(broken)} first, data were broken"
    return ADVICE[detector]

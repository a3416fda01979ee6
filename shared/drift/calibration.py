"""How much tolerance the reference itself asks for: replayed windows must raise no alarm."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from shared.drift.evidence import replayed
from shared.drift.reading import Reading
from shared.drift.streams import Integers

FACTORS = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0)
BLOCK = 24
MOST_STEPS = 20_000


def factor(
    reading: Callable[[float], Reading], windows: Integers, level: float, margin: float, seed: int
) -> float:
    """Find how many times the natural variation a detector has to tolerate.

    The smallest factor at which a replay of twice the promised windows raises no alarm, and a
    margin for windows that the replay has not seen.

    Args:
        reading: of the detector with a factor.
        windows: (w, v) counts of reference windows in order of time; without any nothing can be
            learned, and the factor is the margin.
        level: of the detector.
        margin: that is added.
        seed: of the bootstrap.

    Returns:
        at most 5 and the margin.

    """
    if not len(windows):
        return margin
    order = blocks(len(windows), min(2 * int(level), MOST_STEPS), seed)
    for candidate in FACTORS:
        tried = reading(candidate)
        if replayed(tried.log_e(windows), order, tried.weights()).max(initial=0.0) < level:
            return candidate + margin
    return FACTORS[-1] + margin


def blocks(windows: int, steps: int, seed: int) -> NDArray[np.intp]:
    """Draw windows in blocks, so that neighbours stay neighbours: (steps,) indices.

    Args:
        windows: how many there are; blocks hold 24 of them, or a quarter of a short reference.
        steps: how many to draw.
        seed: of the draw.

    """
    length = block_length(windows)
    starts = np.random.default_rng(seed).integers(0, windows - length + 1, -(-steps // length))
    return (starts[:, None] + np.arange(length)).ravel()[:steps]


def block_length(windows: int) -> int:
    """Say how many neighbours stay together."""
    return max(1, min(BLOCK, windows // 4))

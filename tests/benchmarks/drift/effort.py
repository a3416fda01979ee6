"""How much is simulated, and from which seeds."""

from __future__ import annotations

from dataclasses import dataclass

SIZES = (200, 1000, 5000)


@dataclass(frozen=True)
class Effort:
    """How much is simulated.

    Attributes:
        sizes: of windows, in rows.
        baselines: references that ours is calibrated on, for each setting and size.
        windows: quiet ones, over all baselines.
        repetitions: of each drift and baseline.
        horizon: windows after which a drift counts as not noticed.
        row_windows: quiet ones for rules that need rows.
        row_drifts, row_repeats: drifts they are shown, and windows of each.
        values: that a sequential detector follows while nothing happens, per feature or of labels.
        streams: with a drift, that a sequential detector follows.

    """

    sizes: tuple[int, ...] = SIZES
    baselines: int = 8
    windows: int = 20_000
    repetitions: int = 8
    horizon: int = 100
    row_windows: int = 1000
    row_drifts: int = 20
    row_repeats: int = 10
    values: int = 1_000_000
    streams: int = 100


QUICK = Effort((200,), 1, 40, 2, 6, 6, 2, 2, 2000, 2)


def seed(part: int, setting: str, *numbers: int) -> list[int]:
    """Derive a seed from what is simulated."""
    return [part, *setting.encode(), *numbers]

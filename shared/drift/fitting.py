"""Reference rows to a baseline: cells, counts, natural variation, tolerances."""

from __future__ import annotations

from functools import partial

from msgspec.structs import replace

from shared.drift.baseline import LARGEST_TOLERANCE, Baseline
from shared.drift.calibration import factor
from shared.drift.families import (
    input_streams,
    label_stream,
    loss_streams,
    quality_streams,
    residual_streams,
    slice_streams,
    support_streams,
)
from shared.drift.histograms import described
from shared.drift.readings import READINGS
from shared.drift.reference import Held, Reference, check
from shared.drift.variation import counted_windows, variations

__all__ = ["Held", "Reference", "fit"]

MARGIN = 1.0
# One stream, or a few: what the replay has not seen of it is noise of its windows.
MARGINS = {"loss": 0.0, "calibration": 0.0, "slices": 0.0}


def fit(reference: Reference, *, promise: int, seed: int) -> Baseline:
    """Fit a baseline.

    Args:
        reference: rows.
        promise: at most one false alarm in so many windows, for all detectors together.
        seed: of the bootstrap that sets the tolerances.

    Returns:
        the same for the same arguments.

    Raises:
        ValueError: columns of different lengths, no held-out rows, or values that are not finite.

    """
    check(reference)
    bare = described(reference, promise)
    windows = counted_windows(reference, bare)
    # How far windows swing is asked in units of what they vary; how much they vary is bounded.
    plain = replace(bare, variation=variations(bare, windows, bounded=False))
    level = float(promise * len(READINGS))
    factors = {
        name: factor(partial(make, plain), windows[name], level, MARGINS.get(name, MARGIN), seed)
        for name, make in READINGS.items()
    }
    fitted = replace(
        bare,
        variation=variations(bare, windows, bounded=True),
        factors=factors,
        reference_windows=(len(windows["impact"]), len(windows["inputs"])),
    )
    return replace(fitted, unmonitorable=_unmonitorable(fitted))


def _unmonitorable(fitted: Baseline) -> tuple[str, ...]:
    """Name what varies so much by itself, or has so few rows, that only great changes are seen."""
    families = {
        "inputs": (input_streams(fitted), "inputs"),
        "support": (support_streams(fitted), "inputs"),
        "quality": (quality_streams(fitted), "quality"),
        "loss": (loss_streams(fitted), "loss"),
        "calibration": (residual_streams(fitted), "calibration"),
        "slices": (slice_streams(fitted), "slices"),
        "labels": ([label_stream(fitted)], "labels"),
    }
    found = [] if fitted.volume else ["volume: fewer than 10 whole reference windows"]
    for family, (streams, detector) in families.items():
        variation = fitted.variation[family]
        factor = fitted.factors[detector]
        for stream, tau, error in zip(streams, variation.tau, variation.error, strict=True):
            tolerance = factor * tau + 2.0 * error
            if tolerance > LARGEST_TOLERANCE:
                why = f"varies by {tau:.2g} sd from window to window"
                if factor * tau < error:
                    why = f"{stream.rows:.0f} reference rows are few"
                found.append(f"{stream.named}: {why}, no change below {tolerance:.2g} sd is seen")
    return tuple(found)

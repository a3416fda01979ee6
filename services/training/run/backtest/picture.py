"""A backtest as a picture: the metric over time by policy, runs on it, alarms below."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from numpy.typing import NDArray

Times = NDArray[np.datetime64]

UNITS = {"log_loss": "nats", "brier": "", "mae": "in units of the label", "mse": ""}
COLOURS = ("#8c8c8c", "#4c78a8", "#e45756", "#2a9d4b", "#b279a2", "#f2a541", "#54a3a3", "#9d755d")
KINDS = {"retrain": "#e45756", "fault": "#222222", "inform": "#9ecae9"}
SMOOTHED = 7
PROMOTED: dict[str, Any] = {"marker": "^", "s": 46, "edgecolors": "white", "linewidths": 0.8}
REFUSED: dict[str, Any] = {"marker": "x", "s": 34, "linewidths": 1.5}
STYLE: dict[Any, Any] = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "driftwheel",
    "svg.fonttype": "none",
}


def drawn(result: Mapping[str, Any], form: Literal["svg", "png"]) -> bytes:
    """Draw what `report` has written; the same result gives the same bytes.

    Args:
        result: of a backtest.
        form: svg or png.

    """
    policies = result["policies"]
    told = _told(policies)
    rows = max(1, len(told))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(12, 5.5 + 0.24 * rows), layout="constrained")
        above, below = figure.subplots(
            2, 1, sharex=True, height_ratios=(5, 0.4 + 0.24 * rows), squeeze=True
        )
        _lines(above, result)
        _alarms(below, told)
        locator = AutoDateLocator()
        below.xaxis.set_major_locator(locator)
        below.xaxis.set_major_formatter(ConciseDateFormatter(locator))
        below.set_xlabel("event time, UTC")
        out = io.BytesIO()
        metadata = {"Date": None} if form == "svg" else {"Software": None}
        figure.savefig(out, format=form, dpi=130, metadata=metadata)
    return out.getvalue()


def _lines(axes: Axes, result: Mapping[str, Any]) -> None:
    """Draw the metric of each policy, its candidates marked on the line."""
    metric, unit = result["metric"], UNITS.get(result["metric"], "")
    for number, policy in enumerate(result["policies"]):
        colour = COLOURS[number % len(COLOURS)]
        times, values = _smoothed(policy["windows"])
        front = 2.0 + number / 10
        axes.plot(times, values, color=colour, linewidth=1.6, label=_label(policy), zorder=front)
        for outcome, style in (("promoted", PROMOTED), ("refused", REFUSED)):
            at = _times(run["ended"] for run in policy["runs"] if run["result"] == outcome)
            heights = np.interp(at.astype(np.int64), times.astype(np.int64), values)
            axes.scatter(at, heights, color=colour, zorder=front + 1, **style)
    axes.scatter([], [], marker="^", color="#444444", label="candidate promoted")
    axes.scatter([], [], marker="x", color="#444444", label="candidate refused")
    axes.set_ylabel(f"{metric.replace('_', '-')}{f' ({unit})' if unit else ''}, lower is better")
    axes.set_title(
        f"{result['model']}: what each retraining policy would have served, "
        f"{result['from'][:10]} to {result['to'][:10]}\n",
        loc="left",
        fontweight="bold",
    )
    windows = f"mean over {SMOOTHED} windows of {_span(result['window_s'])}"
    text = f"{windows}; figures from {result['measured_from'][:10]} on, {result['rows']:,} rows"
    axes.text(0, 1.015, text, transform=axes.transAxes, color="#555555", fontsize=9)
    axes.grid(axis="y", color="#e6e6e6")
    axes.legend(frameon=False, fontsize=9, ncols=2)


def _label(policy: Mapping[str, Any]) -> str:
    cost = "" if policy["cost"] is None else f", cost {policy['cost']:.4f}"
    return f"{policy['name']}: {policy['loss']:.4f}{cost}, {policy['retrains']} retrains"


def _alarms(axes: Axes, told: Sequence[tuple[str, Sequence[Mapping[str, Any]]]]) -> None:
    """Draw a row of ticks for each policy and detector."""
    for row, (_, alarms) in enumerate(told):
        for kind, colour in KINDS.items():
            at = _times(alarm["at"] for alarm in alarms if alarm["kind"] == kind)
            axes.scatter(at, [row] * len(at), marker="|", s=90, color=colour, linewidths=1.6)
    for kind, words in (
        ("retrain", "asks for a run"),
        ("fault", "data quality: blocks runs"),
        ("inform", "informs"),
    ):
        axes.scatter([], [], marker="|", s=90, color=KINDS[kind], label=words)
    axes.set_yticks(range(len(told)), [name for name, _ in told], fontsize=8)
    axes.set_ylim(len(told) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.set_title("alarms", loc="left", fontsize=10)
    axes.legend(frameon=False, fontsize=8, ncols=3, loc="lower right", bbox_to_anchor=(1, 1))


def _told(
    policies: Sequence[Mapping[str, Any]],
) -> list[tuple[str, Sequence[Mapping[str, Any]]]]:
    """Gather alarms by policy and detector."""
    return [
        (
            f"{policy['name']}: {detector}",
            [alarm for alarm in policy["told"] if alarm["detector"] == detector],
        )
        for policy in policies
        for detector in policy["alarms"]
    ]


def _smoothed(windows: Sequence[Mapping[str, Any]]) -> tuple[Times, NDArray[np.float64]]:
    """Average over the last windows, each by its rows."""
    rows = np.array([window["rows"] for window in windows], dtype=np.float64)
    sums = np.concatenate([[0.0], np.cumsum(rows * [window["loss"] for window in windows])])
    counts = np.concatenate([[0.0], np.cumsum(rows)])
    ends = np.arange(1, len(rows) + 1)
    starts = np.maximum(0, ends - SMOOTHED)
    means = (sums[ends] - sums[starts]) / (counts[ends] - counts[starts])
    return _times(window["start"] for window in windows), means


def _times(texts: Iterable[str]) -> Times:
    return np.array([text.removesuffix("Z") for text in texts], dtype="datetime64[us]")


def _span(seconds: int) -> str:
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds % length == 0:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"

"""What a score decides, and rows to try a model on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]
Decision = bool | str | None


@dataclass(frozen=True, slots=True)
class Rule:
    """How a model's scores turn into decisions.

    Attributes:
        threshold: binary decisions are true from here on.
        classes: names in the order of the scores' columns, for several classes.

    """

    task: Literal["binary", "multiclass", "regression"]
    threshold: float
    classes: tuple[str, ...] = ()

    @property
    def answers(self) -> tuple[Decision, ...]:
        """List what can be decided."""
        return {"binary": (False, True), "multiclass": self.classes, "regression": (None,)}[
            self.task
        ]

    def choices(self, scores: Scores) -> list[int]:
        """Decide n rows: the place of each decision among the answers.

        Args:
            scores: (n,), or (n, classes) for several classes.

        """
        if self.task == "binary":
            return list((scores >= self.threshold).view(np.int8).tolist())
        if self.task == "multiclass":
            return list(scores.argmax(axis=1).tolist())
        return [0] * len(scores)

    def choice(self, score: float | Sequence[float]) -> int:
        """Decide one row, without numpy."""
        if isinstance(score, float):
            return int(self.task == "binary" and score >= self.threshold)
        return score.index(max(score))

    def decisions(self, scores: Scores) -> list[Decision]:
        """Decide n rows."""
        answers = self.answers
        return [answers[choice] for choice in self.choices(scores)]

    def usable(self, scores: Scores) -> NDArray[np.bool_]:
        """Tell which of n rows were given numbers, all finite and as many as there are classes.

        Raises:
            ValueError: the scores have the wrong shape altogether.

        """
        shape = (len(scores), len(self.classes)) if self.task == "multiclass" else (len(scores),)
        if scores.shape != shape:
            raise ValueError(f"the model answers in shape {scores.shape}, declared is {shape}")
        finite = np.isfinite(scores)
        return np.asarray(finite.all(axis=1) if finite.ndim == 2 else finite)


def trial_rows(features: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Make up a few rows at the edges of what is declared.

    Args:
        features: of each its name, type, min, max and categories as declared.

    Returns:
        A row of nothing, one of lowest and one of highest values.

    """
    lowest = {feature["name"]: _edge(feature, "min", 0) for feature in features}
    highest = {feature["name"]: _edge(feature, "max", -1) for feature in features}
    return [{}, lowest, highest]


def _edge(feature: Mapping[str, Any], bound: str, position: int) -> Any:
    if feature["type"] == "bool":
        return bool(position)
    if feature["type"] == "category":
        return (feature["categories"] or ("",))[position]
    return feature[bound] or 0

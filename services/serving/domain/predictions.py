"""Predictions as bytes: what came goes on as it came, with what was decided between."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

Header = tuple[str, bytes]


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes the predictions that one version makes under one plan.

    Attributes:
        fixed: headers that all of them share.
        head: bytes between time and score.
        tail: bytes after the features.
        suffix: what makes the event's id the prediction's.
        answers: JSON of what can be decided.

    """

    fixed: tuple[Header, ...]
    head: bytes
    tail: bytes
    suffix: bytes
    answers: tuple[bytes, ...]

    @classmethod
    def of(cls, topic: str, model: str, version: str, plan: str, answers: Sequence[Any]) -> Writer:
        """Prepare what is the same in all of them; `topic` is its name without a prefix."""
        fixed = {
            "ce_specversion": b"1.0",
            "ce_source": b"driftwheel/serving",
            "ce_type": topic.encode(),
            "content-type": b"application/json",
        }
        head = f'","model":{_text(model)},"version":{_text(version)},"score":'
        tail = f',"plan":{_text(plan)},"role":"stable","shadow":null}}'
        suffix = f":{version}".encode()
        written = tuple(_text(answer).encode() for answer in answers)
        return cls(tuple(fixed.items()), head.encode(), tail.encode(), suffix, written)

    def values(
        self,
        ids: Sequence[bytes],
        times: Sequence[bytes],
        features: Sequence[bytes],
        scores: NDArray[np.float64],
        choices: Sequence[int],
    ) -> list[bytes]:
        """Write the bodies of n predictions.

        Args:
            ids: as between the quotes of the event's JSON.
            times: likewise.
            features: the event's JSON object.
            scores: (n,), or (n, classes).
            choices: places of the decisions among the answers.

        """
        head, tail, answers = self.head, self.tail, self.answers
        rows = zip(ids, times, features, numbers(scores), choices, strict=True)
        return [
            b'{"id":"%b","time":"%b%b%b,"decision":%b,"features":%b%b'
            % (event_id, time, head, score, answers[choice], given, tail)
            for event_id, time, given, score, choice in rows
        ]

    def attributes(
        self, ids: Sequence[bytes], times: Sequence[bytes]
    ) -> dict[str, Sequence[bytes]]:
        """Write the headers that differ between n predictions.

        Args:
            ids: of the events, as text.
            times: of the events, as text.

        """
        suffix = self.suffix
        return {"ce_id": [event_id + suffix for event_id in ids], "ce_time": times}


def numbers(scores: NDArray[np.float64]) -> list[bytes]:
    """Write scores as JSON: a number each, or a list with one per class."""
    if len(scores) == 0:
        return []
    text = msgspec.json.encode(scores.tolist())
    if scores.ndim == 1:
        return text[1:-1].split(b",")
    return [row + b"]" for row in text[1:-2].split(b"],")]


def _text(value: str | bool | None) -> str:
    return json.dumps(value, ensure_ascii=False)

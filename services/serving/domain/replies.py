"""Scores and decisions to the tensors of an answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from services.serving.domain.answers import Rule
from services.serving.domain.protocol import InferReply, OutputTensor, TensorMetadata
from services.serving.domain.requests import Asked, wants_bytes
from services.serving.domain.tensors import packed

ENCODER = msgspec.json.Encoder()
Score = float | Sequence[float]


class Outputs:
    """What a model answers: its score, and the decision where the task has one.

    Attributes:
        metadata: of the outputs.

    """

    def __init__(self, rule: Rule) -> None:
        self.classes, self.answers = len(rule.classes), rule.answers
        self.decision: Literal["BOOL", "BYTES"] | None
        self.decision = {"binary": "BOOL", "multiclass": "BYTES", "regression": None}[rule.task]
        shape = [-1, self.classes] if self.classes else [-1]
        self.metadata = [TensorMetadata("score", "FP64", shape)]
        if self.decision is not None:
            self.metadata.append(TensorMetadata("decision", self.decision, [-1]))
        self.names = [tensor.name for tensor in self.metadata]

    def usual(self, asked: Asked) -> bool:
        """Tell whether all outputs of one row are wanted as JSON."""
        return not asked.outputs and not asked.binary and len(asked.rows) == 1

    def wanted(self, asked: Asked) -> list[tuple[str, bool]]:
        """List the outputs that are wanted, each with whether it is wanted as bytes.

        Raises:
            ValueError: something is wanted that there is not.

        """
        known = self.names
        if not asked.outputs:
            return [(name, asked.binary) for name in known]
        missing = [output.name for output in asked.outputs if output.name not in known]
        if missing:
            raise ValueError(f"there is no output {missing[0]!r}; outputs: {', '.join(known)}")
        return [(output.name, wants_bytes(asked, output)) for output in asked.outputs]

    def tensor(self, name: str, scores: Sequence[Score], choices: Sequence[int]) -> OutputTensor:
        """Make an output of n rows."""
        if name == "decision" and self.decision is not None:
            decisions = [self.answers[choice] for choice in choices]
            return OutputTensor(name, self.decision, [len(choices)], decisions)
        if not self.classes:
            return OutputTensor(name, "FP64", [len(scores)], list(scores))
        flat: list[Any] = [share for row in scores for share in row]  # type: ignore[union-attr]
        return OutputTensor(name, "FP64", [len(scores), self.classes], flat)


def body_of(
    model: str, version: str, request_id: str, tensors: Sequence[tuple[OutputTensor, bool]]
) -> tuple[bytes, int | None]:
    """Write an answer.

    Returns:
        The body, and the size of its JSON part where binary tensors follow it.

    """
    binary = []
    for tensor, wanted in tensors:
        if wanted:
            raw = packed(tensor.datatype, tensor.data or [])
            tensor.data, tensor.parameters = None, {"binary_data_size": len(raw)}
            binary.append(raw)
    reply = InferReply(model, version, request_id, [tensor for tensor, _ in tensors])
    document = ENCODER.encode(reply)
    return (document + b"".join(binary), len(document)) if binary else (document, None)


class UsualReply:
    """Writes what `body_of` does for one row and all outputs as JSON, in a fraction of the time.

    Args:
        model: by name.
        version: that answers.
        outputs: of the model.

    """

    def __init__(self, model: str, version: str, outputs: Outputs) -> None:
        classes, answers = outputs.classes, outputs.answers
        mark, score = "\0", [0.0] * classes if classes else 0.0
        self._tails = []
        for choice in range(len(answers)):
            tensors = [(outputs.tensor(n, [score], [choice]), False) for n in outputs.names]
            document, _ = body_of(model, version, mark, tensors)
            self._head, _, rest = document.partition(ENCODER.encode(mark))
            self._middle, _, tail = rest.partition(ENCODER.encode([0.0] * (classes or 1)))
            self._tails.append(tail)
        self._form = b"%b" * 5 if classes else b"%b%b%b[%b]%b"

    def body(self, request_id: str, score: Score, choice: int) -> bytes:
        """Write an answer."""
        encode = ENCODER.encode
        written = (self._head, encode(request_id), self._middle, encode(score), self._tails[choice])
        return self._form % written

"""The usual request, one row as JSON, read in one step: types, bounds and names at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec

from services.serving.domain.features import LONGEST_TEXT, Feature, Row
from services.serving.domain.protocol import Request

REALS = ("FP64", "FP32", "FP16")
# Of each kind the datatypes whose JSON elements can be taken as they are.
STRAIGHT = {
    "float": REALS,
    "int": ("INT64", "INT32"),
    "bool": ("BOOL",),
    "category": ("BYTES",),
}
# Types made at run time are beyond what a checker can follow.
OneOf: Any = Literal
Fixed: Any = tuple
KINDS = {"float": float, "int": int, "bool": bool, "category": str}


class StraightReader:
    """Reads a single row in either form; everything else is left to the judge, `Signature.rows`.

    What it reads is what the judge reads, a whole number possibly as a float; what it does not
    take may be sound all the same.
    """

    def __init__(self, features: Sequence[Feature]) -> None:
        self._named = _named(features)
        numeric = all(feature.kind in ("int", "float") for feature in features)
        self._matrix = _matrix(features) if numeric else None
        self._names = frozenset(feature.name for feature in features)

    def read(self, body: bytes) -> tuple[Request, Row] | None:
        """Read a body; None where that is not possible."""
        if self._matrix is not None:
            try:
                request = self._matrix.decode(body)
            except ValueError:
                pass
            else:
                (tensor,) = request.inputs
                return None if tensor.name in self._names else (request, tensor.data)
        try:
            request = self._named.decode(body)
        except ValueError:
            return None
        return request, tuple([tensor.data[0] for tensor in request.inputs])


def _matrix(features: Sequence[Feature]) -> msgspec.json.Decoder[Any]:
    types = [_type(feature, float) for feature in features]
    fields = [
        ("name", str),
        ("datatype", OneOf[REALS]),
        ("shape", Fixed[OneOf[1], OneOf[len(types)]]),
        ("data", Fixed[tuple(types)]),
    ]
    return _decoder([msgspec.defstruct("Matrix", fields)])


def _named(features: Sequence[Feature]) -> msgspec.json.Decoder[Any]:
    tensors = [
        msgspec.defstruct(
            "Named",
            [
                ("name", OneOf[feature.name]),
                ("datatype", OneOf[STRAIGHT[feature.kind]]),
                ("shape", Annotated[tuple[Literal[1], ...], msgspec.Meta(min_length=1)]),
                ("data", Fixed[_type(feature, KINDS[feature.kind])]),
            ],
        )
        for feature in features
    ]
    return _decoder(tensors)


def _decoder(tensors: Sequence[type]) -> msgspec.json.Decoder[Any]:
    inputs = ("inputs", Fixed[tuple(tensors)])
    return msgspec.json.Decoder(
        msgspec.defstruct("Straight", [inputs], bases=(Request,), kw_only=True)
    )


def _type(feature: Feature, kind: Any) -> Any:
    low, high = feature.low, feature.high
    if kind is int:
        low = None if low is None else math.ceil(low)
        high = None if high is None else math.floor(high)
    if kind in (int, float):
        whole = 1 if feature.kind == "int" else None
        kind = Annotated[kind, msgspec.Meta(ge=low, le=high, multiple_of=whole)]
    elif feature.categories is not None:
        kind = OneOf[tuple(sorted(feature.categories))]
    elif kind is str:
        kind = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_TEXT)]
    return kind | None if feature.nullable else kind

"""A model's signature: the tensors it takes, and the rows of features that they hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from services.serving.domain.features import NATIVE, Feature, Row
from services.serving.domain.protocol import TensorMetadata
from services.serving.domain.straight import StraightReader


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input whose elements were read: flat, row-major."""

    name: str
    datatype: str
    shape: Sequence[int]
    elements: Sequence[Any]


class Signature:
    """What a model takes: one tensor per feature, or one of all features if all are numbers."""

    def __init__(self, features: Sequence[Feature]) -> None:
        self.features = tuple(features)
        self.names = tuple(feature.name for feature in features)
        self._by_name = {feature.name: feature for feature in features}
        self.straight = StraightReader(features)
        self.numeric = all(feature.kind != "category" for feature in features)

    def inputs(self) -> list[TensorMetadata]:
        """List the native form: a tensor per feature."""
        return [TensorMetadata(f.name, NATIVE[f.kind], [-1, 1]) for f in self.features]

    def rows(self, tensors: Sequence[Tensor]) -> list[Row]:
        """Read the rows, values in declared order, each checked against its declaration.

        Raises:
            ValueError: names the tensor, the row and the bound.

        """
        columns = self._matrix(tensors[0]) if self._is_matrix(tensors) else self._named(tensors)
        return list(zip(*columns, strict=True))

    def _is_matrix(self, tensors: Sequence[Tensor]) -> bool:
        return len(tensors) == 1 and tensors[0].name not in self._by_name

    def _matrix(self, tensor: Tensor) -> list[list[Any]]:
        width = len(self.features)
        if not self.numeric:
            texts = [feature.name for feature in self.features if feature.kind == "category"]
            raise ValueError(
                f"input {tensor.name!r} is no feature, and one tensor of all features is not "
                f"possible with categories ({', '.join(texts[:5])}): send a tensor per feature"
            )
        fits = len(tensor.shape) == 2 and tensor.shape[1] == width
        if not fits or not all(feature.takes(tensor.datatype) for feature in self.features):
            raise ValueError(
                f"input {tensor.name!r} must be numbers of shape [rows, {width}], the features in "
                f"declared order, or there must be a tensor for each: {', '.join(self.names[:9])}"
            )
        parts = [tensor.elements[column::width] for column in range(width)]
        where = f"input {tensor.name!r}, "
        return [
            _column(feature, part, f"{where}feature {feature.name!r}")
            for feature, part in zip(self.features, parts, strict=True)
        ]

    def _named(self, tensors: Sequence[Tensor]) -> list[list[Any]]:
        by_name = {tensor.name: tensor for tensor in tensors}
        if len(by_name) < len(tensors) or not tensors:
            raise ValueError("every input must stand there once, and there must be one")
        unknown = sorted(by_name.keys() - self._by_name.keys())
        if unknown:
            raise ValueError(
                f"input {unknown[0]!r} is no feature; features: {', '.join(self.names[:50])}"
            )
        count = tensors[0].shape[0]
        return [
            self._feature(feature, by_name.get(feature.name), count) for feature in self.features
        ]

    def _feature(self, feature: Feature, tensor: Tensor | None, count: int) -> list[Any]:
        if tensor is None:
            if not feature.nullable:
                raise ValueError(f"input {feature.name!r} is not there, and it is not nullable")
            return [None] * count
        if tensor.shape[0] != count or len(tensor.elements) != count:
            raise ValueError(
                f"input {feature.name!r}: shape {list(tensor.shape)}, but it must be [{count}, 1] "
                "like that of the first input"
            )
        if not feature.takes(tensor.datatype):
            raise ValueError(
                f"input {feature.name!r}: datatype {tensor.datatype} cannot hold a feature of type "
                f"{feature.kind}; send {NATIVE[feature.kind]}"
            )
        return _column(feature, tensor.elements, f"input {feature.name!r}")


def _column(feature: Feature, elements: Sequence[Any], where: str) -> list[Any]:
    read: Callable[[Any], Any] = feature.read
    row = 0
    values = []
    try:
        for row, element in enumerate(elements):  # noqa: B007  the row is for the error
            values.append(read(element))
    except ValueError as error:
        raise ValueError(f"{where}, row {row} is {error}") from error
    return values

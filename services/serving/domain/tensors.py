"""Elements of tensors: their types, their shape, their bytes."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

LENGTH = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Datatype:
    """A type of elements.

    Attributes:
        code: of the `struct` module; empty for BYTES, whose elements carry their lengths.
        types: that an element may have in JSON, besides null.

    """

    code: str
    types: frozenset[type]


WHOLE, REAL = frozenset({int}), frozenset({int, float})
WIDTHS = (8, 16, 32, 64)
DATATYPES = {
    "BOOL": Datatype("?", frozenset({bool})),
    **{f"INT{w}": Datatype(code, WHOLE) for w, code in zip(WIDTHS, "bhiq", strict=True)},
    **{f"UINT{w}": Datatype(code, WHOLE) for w, code in zip(WIDTHS, "BHIQ", strict=True)},
    **{f"FP{w}": Datatype(code, REAL) for w, code in zip(WIDTHS[1:], "efd", strict=True)},
    "BYTES": Datatype("", frozenset({str})),
}


def datatype_of(name: str, datatype: str) -> Datatype:
    """Find the type of a tensor's elements.

    Raises:
        ValueError: there is none of that name.

    """
    if datatype not in DATATYPES:
        raise ValueError(
            f"input {name!r}: datatype {datatype!r} is not known; known: {', '.join(DATATYPES)}"
        )
    return DATATYPES[datatype]


def size_of(name: str, shape: Sequence[int]) -> int:
    """Count the elements that a shape holds.

    Raises:
        ValueError: a dimension is negative, or there is none.

    """
    if not shape or min(shape) < 0:
        raise ValueError(f"input {name!r}: shape {list(shape)} must be of dimensions from 0 on")
    return math.prod(shape)


def flat(name: str, datatype: str, shape: Sequence[int], data: Sequence[Any]) -> Sequence[Any]:
    """Bring elements from JSON into row-major order, nested or not.

    Raises:
        ValueError: they are not of the type, or not as many as the shape holds.

    """
    for _ in shape[1:]:
        if data and all(type(part) is list for part in data):
            data = [element for part in data for element in part]
    foreign = set(map(type, data)) - datatype_of(name, datatype).types - {type(None)}
    if foreign:
        found = sorted(kind.__name__ for kind in foreign)
        raise ValueError(f"input {name!r}: {', '.join(found)} among the data of type {datatype}")
    _check_size(name, shape, len(data))
    return data


def unpacked(name: str, datatype: str, shape: Sequence[int], raw: bytes) -> Sequence[Any]:
    """Read elements from their little-endian bytes in row-major order.

    Raises:
        ValueError: the bytes do not hold as many elements as the shape does.

    """
    code = datatype_of(name, datatype).code
    size = size_of(name, shape)
    if not code:
        texts = _texts(name, raw)
        _check_size(name, shape, len(texts))
        return texts
    width = struct.calcsize(f"<{code}")
    if len(raw) != size * width:
        raise ValueError(
            f"input {name!r}: {len(raw)} bytes, but shape {list(shape)} of {datatype} has "
            f"{size * width}"
        )
    return struct.unpack(f"<{size}{code}", raw)


def packed(datatype: str, elements: Sequence[Any]) -> bytes:
    """Write elements as little-endian bytes."""
    code = DATATYPES[datatype].code
    if code:
        return struct.pack(f"<{len(elements)}{code}", *elements)
    texts = [element.encode() for element in elements]
    return b"".join(LENGTH.pack(len(text)) + text for text in texts)


def _texts(name: str, raw: bytes) -> list[str]:
    texts, at = list[str](), 0
    while at < len(raw):
        start = at + LENGTH.size
        end = start + LENGTH.unpack_from(raw, at)[0] if start <= len(raw) else start
        if end > len(raw):
            raise ValueError(f"input {name!r}: element {len(texts)} is longer than the bytes")
        texts.append(raw[start:end].decode())
        at = end
    return texts


def _check_size(name: str, shape: Sequence[int], found: int) -> None:
    size = size_of(name, shape)
    if found != size:
        raise ValueError(f"input {name!r}: {found} elements, but shape {list(shape)} has {size}")

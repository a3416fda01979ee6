"""What a record says, as numbers: equal for copies that are only spelled differently."""

from __future__ import annotations

import struct
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_intdigest

Cells: TypeAlias = NDArray[np.uint64]
Given: TypeAlias = bool | int | float | str | None

NULL = int(np.float64(np.nan).view(np.uint64))
NUMBER, BITS = struct.Struct("=d"), struct.Struct("=Q")


def cells_of(numbers: NDArray[np.float64]) -> Cells:
    """Write numbers as 64 bits: zero has no sign, and there is one NaN, which stands for null."""
    return np.where(np.isnan(numbers), np.nan, numbers + 0.0).view(np.uint64)


def text_cell(text: str) -> int:
    """Write a text as 64 bits."""
    return xxh3_64_intdigest(text.encode())


def cell(value: Given) -> int:
    """Write one value as 64 bits, as `cells_of` and `text_cell` do; null and absent are one."""
    if value is None:
        return NULL
    if isinstance(value, str):
        return text_cell(value)
    (bits,) = BITS.unpack(NUMBER.pack(value + 0.0))
    return int(bits)


def contents(time_us: NDArray[np.int64], cells: Cells) -> Cells:
    """Digest what n records say.

    Args:
        time_us: (n,) event times.
        cells: (n, columns) values.

    Returns:
        (n,) digests.

    """
    table = np.column_stack((time_us.view(np.uint64), cells))
    rows = table.view(f"V{table.shape[1] * table.itemsize}").ravel().tolist()
    return np.fromiter(map(xxh3_64_intdigest, rows), dtype=np.uint64, count=len(rows))

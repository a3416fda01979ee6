"""What numba has no words for, in LLVM's: reading memory by address and counting zero bits."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, cast

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic


def _load(kind: Any, context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    return builder.load(builder.inttoptr(arguments[0], kind.as_pointer()), align=1)


def _count(instruction: str, context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    return getattr(builder, instruction)(arguments[0], ir.Constant(ir.IntType(1), 0))


def _word(typing: Any, at: Any) -> Any:
    return types.uint64(types.int64), partial(_load, ir.IntType(64))


def _byte(typing: Any, at: Any) -> Any:
    return types.uint8(types.int64), partial(_load, ir.IntType(8))


def _trailing_zeros(typing: Any, value: Any) -> Any:
    return types.int64(types.uint64), partial(_count, "cttz")


def _leading_zeros(typing: Any, value: Any) -> Any:
    return types.int64(types.uint64), partial(_count, "ctlz")


# The little-endian word of eight bytes at an address, aligned or not; the byte at an address.
word = cast("Callable[[int], np.uint64]", intrinsic(_word))
byte = cast("Callable[[int], int]", intrinsic(_byte))
# Zero bits below the lowest one and above the highest one; 64 of zero.
trailing_zeros = cast("Callable[[np.uint64], int]", intrinsic(_trailing_zeros))
leading_zeros = cast("Callable[[np.uint64], int]", intrinsic(_leading_zeros))
# Numba's int is int64.
signed = cast("Callable[[Any], int]", np.int64)

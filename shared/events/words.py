"""Eight bytes at a time, compiled: loads, comparisons, texts and digits.

Everything takes addresses: an array costs each call two atomic counts of references.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from shared.events.native import byte, signed, trailing_zeros, word

ONES = np.uint64(0x0101010101010101)
HIGHS = np.uint64(0x8080808080808080)
SPACES = np.uint64(0x2020202020202020)
QUOTES = np.uint64(0x2222222222222222)
BACKSLASHES = np.uint64(0x5C5C5C5C5C5C5C5C)
ZEROS = np.uint64(0x3030303030303030)
ABOVE_NINE = np.uint64(0x7676767676767676)
EVENS = np.uint64(0x000000FF000000FF)
HUNDREDS = np.uint64(100 + (1_000_000 << 32))
UNITS = np.uint64(1 + (10_000 << 32))
POWERS_OF_TEN = np.array([10**k for k in range(9)], dtype=np.uint64)
ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
QUOTE = 0x22


@njit(cache=True)
def address(array: NDArray[Any]) -> int:
    """Name where the first byte of an array lies."""
    return signed(array.ctypes.data)


@njit(cache=True)
def tail(length: int) -> np.uint64:
    """Mask of the first `length` bytes of a word, 1 to 8."""
    return ALL >> np.uint64(64 - 8 * length)


@njit(cache=True)
def same(left: int, right: int, length: int) -> bool:
    """Compare `length` bytes at two addresses; seven more are looked at."""
    while length >= 8:
        if word(left) != word(right):
            return False
        left += 8
        right += 8
        length -= 8
    return length == 0 or (word(left) ^ word(right)) & tail(length) == 0


@njit(cache=True)
def text_end(at: int) -> int:
    """Find the quote that ends a text of printable ASCII without escapes; -1 for any other text."""
    flags = _ends(word(at))
    while flags == 0:
        at += 8
        flags = _ends(word(at))
    at += trailing_zeros(flags) >> 3
    return at if byte(at) == QUOTE else -1


@njit(cache=True)
def _ends(part: np.uint64) -> np.uint64:
    """Flag quotes, backslashes, control characters and bytes beyond ASCII by their highest bit.

    The borrows of the subtractions reach upwards only, so the lowest flag is always right.
    """
    quote, escape = part ^ QUOTES, part ^ BACKSLASHES
    return (
        ((quote - ONES) & ~quote) | ((escape - ONES) & ~escape) | ((part - SPACES) & ~part) | part
    ) & HIGHS


@njit(cache=True)
def digits(at: int, value: np.uint64) -> tuple[np.uint64, int]:
    """Read digits on from `value`, modulo 2^64, and where they end.

    Eight digits become a number in three multiplications: D. Lemire, Quickly parsing eight digits.
    """
    count = 8
    while count == 8:
        part = word(at) ^ ZEROS
        count = trailing_zeros(((part + ABOVE_NINE) | part) & HIGHS) >> 3
        shift = np.uint64(4 * (8 - count))  # by half, for a shift by 64 is undefined
        part = part << shift << shift
        part = part * np.uint64(10) + (part >> np.uint64(8))
        low, high = part & EVENS, (part >> np.uint64(16)) & EVENS
        part = (low * HUNDREDS + high * UNITS) >> np.uint64(32)
        value = value * POWERS_OF_TEN[count] + (part & np.uint64(0xFFFFFFFF))
        at += count
    return value, at

"""Decimals to the nearest float64, compiled: m x 10^k for m < 2^64."""

from __future__ import annotations

import numpy as np
from numba import njit

from shared.events.native import leading_zeros, signed

SMALLEST, GREATEST = -342, 308
EXACT = 22  # 10^22 is the last power of ten that float64 holds exactly
WHOLE = np.uint64(2**53)
TENS = np.array([10.0**k for k in range(EXACT + 1)])
LOW_HALF = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)
ONE = np.uint64(1)


def _powers() -> np.ndarray[tuple[int, int], np.dtype[np.uint64]]:
    """List 128 leading bits of 5^q, a high and a low word; rounded up for q from -27 to -1."""
    words = []
    for q in range(SMALLEST, GREATEST + 1):
        if q >= 0:
            bits = 5**q << 128 >> (5**q).bit_length()
        else:
            power = 5**-q
            bits = (1 << (127 + (power - 1).bit_length())) // power + (q >= -27)
        words.append((bits >> 64, bits & (2**64 - 1)))
    return np.array(words, dtype=np.uint64)


POWERS = _powers()


@njit(cache=True)
def scaled(mantissa: np.uint64, exponent: int) -> float:
    """Round mantissa x 10^exponent to float64, half to even; NaN where another must decide.

    Clinger's fast path where both are exact floats, else Eisel and Lemire: D. Lemire, Number
    parsing at a gigabyte per second, 2021. Subnormal numbers and infinity are not decided.
    """
    if mantissa <= WHOLE and -EXACT <= exponent <= EXACT:
        value = float(mantissa)
        return value / float(TENS[-exponent]) if exponent < 0 else value * float(TENS[exponent])
    if mantissa == 0 or not SMALLEST <= exponent <= GREATEST:
        return np.nan
    return _eisel_lemire(mantissa, exponent)


@njit(cache=True)
def _eisel_lemire(mantissa: np.uint64, exponent: int) -> float:
    zeros = leading_zeros(mantissa)
    mantissa <<= np.uint64(zeros)
    power = exponent - SMALLEST
    high, low = _product(mantissa, POWERS[power, 0])
    if high & np.uint64(0x1FF) == np.uint64(0x1FF):
        carry, _ = _product(mantissa, POWERS[power, 1])
        low += carry
        if carry > low:
            high += ONE
        if low == np.uint64(0xFFFFFFFFFFFFFFFF) and not -27 <= exponent <= 55:
            return np.nan
    upper = high >> np.uint64(63)
    shift = upper + np.uint64(9)
    bits = high >> shift
    binary = ((217706 * exponent) >> 16) + 63 + signed(upper) - zeros + 1023
    if low <= ONE and -4 <= exponent <= 23 and bits & np.uint64(3) == ONE and bits << shift == high:
        bits &= ~ONE  # exactly half way: to even
    bits = (bits + (bits & ONE)) >> ONE
    if bits >> np.uint64(53):
        bits >>= ONE
        binary += 1
    if not 0 < binary < 2047:
        return np.nan
    bits = (bits & np.uint64(2**52 - 1)) | (np.uint64(binary) << np.uint64(52))
    return np.uint64(bits).view(np.float64)


@njit(cache=True)
def _product(left: np.uint64, right: np.uint64) -> tuple[np.uint64, np.uint64]:
    """Multiply to 128 bits: the high and the low word."""
    a, b = left >> HALF, left & LOW_HALF
    c, d = right >> HALF, right & LOW_HALF
    low = b * d
    middle = a * d + (low >> HALF)
    other = b * c + (middle & LOW_HALF)
    return a * c + (middle >> HALF) + (other >> HALF), (other << HALF) | (low & LOW_HALF)

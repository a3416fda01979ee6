"""Scalar values of JSON, compiled: numbers, times and texts.

Each function reads at `at` and returns the value and where it ends, -1 where it does not read on.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from shared.events.decimals import WHOLE, scaled
from shared.events.native import byte, signed, word
from shared.events.words import digits, text_end

ZERO, DOT, MINUS, PLUS, COLON, LETTER_E, LETTER_T, LETTER_Z = b"0.-+:eTZ"
CASE = 0x20
DIGITS = 19  # of which a word of 64 bits holds any number
EARLIEST_US = -30_610_224_000_000_000  # the year 1000
LONGEST = 200
FOUR, FIVE = np.uint64(2**32 - 1), np.uint64(2**40 - 1)
TRUE, FALSE = (np.uint64(int.from_bytes(name, "little")) for name in (b"true", b"false"))
DAYS = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])


@njit(cache=True)
def number(at: int, whole: bool) -> tuple[float, int]:
    """Read a number; a whole one has neither fraction nor exponent and is at most 2^53."""
    negative = byte(at) == MINUS
    at += negative
    first = at
    mantissa, at = digits(at, np.uint64(0))
    count = at - first
    if count == 0 or (count > 1 and byte(first) == ZERO):
        return np.nan, -1
    if whole:
        fits = count < DIGITS and mantissa <= WHOLE
        value = float(mantissa)
        return (-value if negative and mantissa else value), (at if fits else -1)
    integral, exponent = True, 0
    if byte(at) == DOT:
        integral = False
        point = at + 1
        mantissa, at = digits(point, mantissa)
        exponent = point - at
        if exponent == 0:
            return np.nan, -1
        count -= exponent
    if count > DIGITS and count - _leading_zeros(first) > DIGITS:
        return np.nan, -1
    if byte(at) | CASE == LETTER_E:
        integral = False
        power, at = _power(at + 1)
        exponent += power
        if at < 0:
            return np.nan, -1
    value = scaled(mantissa, exponent)
    if value != value:
        return np.nan, -1
    return (-value if negative and not (integral and mantissa == 0) else value), at


@njit(cache=True)
def _leading_zeros(at: int) -> int:
    zeros = 0
    while byte(at) == ZERO or byte(at) == DOT:
        zeros += byte(at) == ZERO
        at += 1
    return zeros


@njit(cache=True)
def _power(at: int) -> tuple[int, int]:
    negative = byte(at) == MINUS
    at += negative or byte(at) == PLUS
    power, end = digits(at, np.uint64(0))
    if not 1 <= end - at <= 3:
        return 0, -1
    return (-signed(power) if negative else signed(power)), end


@njit(cache=True)
def boolean(at: int) -> tuple[float, int]:
    """Read true or false as 1 or 0."""
    if word(at) & FOUR == TRUE:
        return 1.0, at + 4
    return 0.0, (at + 5 if word(at) & FIVE == FALSE else -1)


@njit(cache=True)
def text(at: int) -> int:
    """Find the end of a text of 1 to 200 printable ASCII characters without escapes."""
    end = text_end(at)
    return end if 1 <= end - at <= LONGEST else -1


@njit(cache=True)
def instant(at: int) -> tuple[int, int]:
    """Read `YYYY-MM-DDTHH:MM:SS[.f]` and Z or an offset as microseconds since 1970."""
    shape = (
        (byte(at + 4) == MINUS)
        & (byte(at + 7) == MINUS)
        & (byte(at + 10) == LETTER_T)
        & (byte(at + 13) == COLON)
        & (byte(at + 16) == COLON)
    )
    year, month = _pair(at) * 100 + _pair(at + 2), _pair(at + 5)
    day, hour = _pair(at + 8), _pair(at + 11)
    minute, second = _pair(at + 14), _pair(at + 17)
    if not shape or year < 1000 or not 1 <= month <= 12 or not 1 <= day <= _days(year, month):
        return 0, -1
    if not (0 <= hour < 24 and 0 <= minute < 60 and 0 <= second < 60):
        return 0, -1
    fraction, at = _fraction(at + 19)
    offset, at = _offset(at)
    minutes = (_days_since_1970(year, month, day) * 24 + hour) * 60 + minute - offset
    microseconds = (minutes * 60 + second) * 1_000_000 + fraction
    return microseconds, (at if microseconds >= EARLIEST_US else -1)


@njit(cache=True)
def _pair(at: int) -> int:
    """Read two digits; far below zero where they are none."""
    tens, ones = signed(byte(at)) - ZERO, signed(byte(at + 1)) - ZERO
    if 0 <= tens <= 9 and 0 <= ones <= 9:
        return tens * 10 + ones
    return -1_000_000


@njit(cache=True)
def _days(year: int, month: int) -> int:
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return signed(DAYS[month - 1]) + (leap and month == 2)


@njit(cache=True)
def _days_since_1970(year: int, month: int, day: int) -> int:
    """Count days; H. Hinnant, chrono-compatible low-level date algorithms."""
    year -= month <= 2
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return year * 365 + year // 4 - year // 100 + year // 400 + of_year - 719_468


@njit(cache=True)
def _fraction(at: int) -> tuple[int, int]:
    if byte(at) != DOT:
        return 0, at
    value, end = digits(at + 1, np.uint64(0))
    count = end - at - 1
    if not 1 <= count <= 6:
        return 0, -1
    for _ in range(6 - count):
        value *= np.uint64(10)
    return signed(value), end


@njit(cache=True)
def _offset(at: int) -> tuple[int, int]:
    """Read Z or an offset from UTC, in minutes."""
    if at < 0 or byte(at) == LETTER_Z:
        return 0, (at + 1 if at >= 0 else -1)
    hours, minutes = _pair(at + 1), _pair(at + 4)
    if byte(at + 3) != COLON or not 0 <= hours < 24 or not 0 <= minutes < 60:
        return 0, -1
    if byte(at) == PLUS:
        return hours * 60 + minutes, at + 6
    return -(hours * 60 + minutes), (at + 6 if byte(at) == MINUS else -1)

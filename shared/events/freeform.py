"""Records in any order and layout, compiled: texts without escapes in printable ASCII."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from shared.events.kernel import Targets, read
from shared.events.native import byte
from shared.events.template import INT, OPENING, TIME
from shared.events.texts import Place, Table, code_of, place
from shared.events.words import QUOTE, address, text_end

COLON, COMMA, OPEN, CLOSE = b":,{}"
SPACE, TAB, LINE, RETURN = b" \t\n\r"
OUTER_CELLS = 3


@njit(cache=True)
def fill_freeform(
    buffer: NDArray[np.uint8],
    starts: NDArray[np.int64],
    rows: NDArray[np.int64],
    cells: NDArray[np.void],
    names: Table,
    texts: Table,
    targets: Targets,
) -> NDArray[np.int64]:
    """Fill the rows that can be read; return those that cannot.

    `cells` are id, time, features, and each feature; `names` says so of the names outside the
    features (column 0) and inside (column 1).
    """
    accepted, spans, time_us, matrix = targets
    base, named, known = address(buffer), place(names), place(texts)
    seen = np.full(len(cells), -1)
    left = np.empty_like(rows)
    count = 0
    for row in rows:
        last, end = base + starts[row], base + starts[row + 1]
        last = _record(base, last, row, cells, seen, named, known, targets)
        if 0 <= last <= end <= _skipped(last):
            accepted[row] = True
        else:
            spans[row] = time_us[row] = 0
            matrix[row] = np.nan
            left[count] = row
            count += 1
    return left[:count]


@njit(cache=True)
def _record(
    base: int,
    at: int,
    row: int,
    cells: NDArray[np.void],
    seen: NDArray[np.int64],
    names: Place,
    texts: Place,
    targets: Targets,
) -> int:
    """Read a record into its row: where its last brace ends, or -1."""
    _, spans, time_us, matrix = targets
    inside = False
    at = _behind(at, OPEN)
    while at >= 0:
        index, at = _name(at, names, inside)
        if at < 0 or seen[index] == row:
            return -1
        seen[index] = row
        cell = cells[index]
        if cell.kind == OPENING:
            spans[row, 4] = at - base
            inside, at = True, _behind(at, OPEN)
            if not _stands(at, CLOSE):
                continue
        else:
            first = at + (cell.kind <= TIME)
            value, moment, at = read(first, cell, texts)
            if cell.kind >= INT:
                matrix[row, cell.column] = value
            else:
                spans[row, cell.column], spans[row, cell.column + 1] = first - base, at - base
                time_us[row] += moment
                at = at + 1 if at >= 0 and byte(first - 1) == QUOTE == byte(at) else -1
        if inside and _stands(at, CLOSE):
            inside, at = False, _behind(at, CLOSE)
            spans[row, 5] = at - base
        if not _stands(at, COMMA):
            break
        at = _behind(at, COMMA)
    for index in range(len(cells)):
        if seen[index] != row and not cells[index].nullable:
            return -1
    return -1 if inside else _behind(at, CLOSE)


@njit(cache=True)
def _name(at: int, names: Place, inside: bool) -> tuple[int, int]:
    """Read a name and its colon: the cell it names, and where its value starts."""
    at = _behind(at, QUOTE)
    if at < 0:
        return 0, -1
    end = text_end(at)
    which = code_of(names, int(inside), at, end - at) if end >= 0 else -1
    if which < 0:
        return 0, -1
    return which + OUTER_CELLS * inside, _skipped(_behind(end + 1, COLON))


@njit(cache=True)
def _stands(at: int, mark: int) -> bool:
    """Tell whether a mark comes next, after space."""
    at = _skipped(at)
    return at >= 0 and byte(at) == mark


@njit(cache=True)
def _behind(at: int, mark: int) -> int:
    """Go behind a mark and the space before it; -1 if it does not stand there."""
    at = _skipped(at)
    return at + 1 if at >= 0 and byte(at) == mark else -1


@njit(cache=True)
def _skipped(at: int) -> int:
    while at >= 0 and (byte(at) in (SPACE, TAB, LINE, RETURN)):
        at += 1
    return at

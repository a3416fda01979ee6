"""Records that look like one already accepted, compiled: constant bytes between scalar values."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from shared.events.cells import boolean, instant, number, text
from shared.events.native import byte, word
from shared.events.template import BOOL, CATEGORY, ID, INT, TIME, Template
from shared.events.texts import Place, Table, code_of, place
from shared.events.words import QUOTE, address, same

NULL, FOUR = np.uint64(int.from_bytes(b"null", "little")), np.uint64(2**32 - 1)


class Targets(NamedTuple):
    """The columns of `Events` that are filled, all its spans in one."""

    accepted: NDArray[np.bool_]
    spans: NDArray[np.int64]
    time_us: NDArray[np.int64]
    matrix: NDArray[np.float64]


@njit(cache=True)
def fill(
    buffer: NDArray[np.uint8],
    starts: NDArray[np.int64],
    rows: NDArray[np.int64],
    template: Template,
    texts: Table,
    targets: Targets,
) -> NDArray[np.int64]:
    """Fill the rows that fit the template; return those that do not."""
    accepted, spans, time_us, matrix = targets
    base, constants = address(buffer), address(template.constants)
    known = place(texts)
    cells = template.cells
    left = np.empty_like(rows)
    count = 0
    for row in rows:
        at = base + starts[row]
        for index in range(len(cells)):
            cell = cells[index]
            if not same(at, constants + cell.first, cell.length):
                at = -1
                break
            first = at + cell.length
            value, moment, at = read(first, cell, known)
            if at < 0:
                break
            if cell.kind >= INT:
                matrix[row, cell.column] = value
            else:
                spans[row, cell.column], spans[row, cell.column + 1] = first - base, at - base
                time_us[row] += moment
        if at == base + starts[row + 1]:
            accepted[row] = True
        else:
            spans[row] = time_us[row] = 0
            matrix[row] = np.nan
            left[count] = row
            count += 1
    return left[:count]


@njit(cache=True)
def read(at: int, cell: Any, table: Place) -> tuple[float, int, int]:
    """Read a cell: its number, its time, and where it ends; -1 if it may not stand there."""
    if cell.nullable and word(at) & FOUR == NULL:
        return np.nan, 0, at + 4
    if cell.kind == CATEGORY:
        end = text(at + 1)
        known = code_of(table, cell.column, at + 1, end - at - 1) if byte(at) == QUOTE else -1
        return float(known), 0, (end + 1 if known >= 0 else -1)
    if cell.kind == BOOL:
        value, end = boolean(at)
        return value, 0, end
    if cell.kind >= INT:
        value, end = number(at, cell.kind == INT)
        return value, 0, (end if cell.low <= value <= cell.high else -1)
    if cell.kind == TIME:
        moment, end = instant(at)
        return np.nan, moment, end
    return np.nan, 0, (text(at) if cell.kind == ID else at)

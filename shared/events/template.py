"""What the records of one producer have in common, learnt from one that was accepted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.events.fields import Field

ENDING, ID, TIME, OPENING, CLOSING, INT, FLOAT, BOOL, CATEGORY = range(9)
KINDS = {"int": INT, "float": FLOAT, "bool": BOOL, "category": CATEGORY}
OUTER = {b"id": ID, b"time": TIME}
# Where the span of a cell without column goes; features start and end in different cells.
SPANS = {ID: 0, TIME: 2, OPENING: 4, CLOSING: 5, ENDING: 6}
PAIR = re.compile(rb'"([^"\\]*)"\s*:\s*("[^"\\]*"|\{|[^\s,{}"]+)')


Part = tuple[bytes, int, int]  # constant, kind and column of a cell
CELL = np.dtype(
    [
        ("first", np.int64),  # where the constant before the cell starts
        ("length", np.int64),  # of that constant
        ("kind", np.int64),  # ENDING to CATEGORY
        ("column", np.int64),  # of the matrix, or of the spans (SPANS)
        ("nullable", np.bool_),  # null may stand there
        ("low", np.float64),  # the least number allowed
        ("high", np.float64),  # the greatest number allowed
    ]
)


class Template(NamedTuple):
    """Constant bytes, each followed by a cell: a scalar value, or a place.

    Attributes:
        constants: all of them, and eight bytes more.
        cells: (n,) of CELL; of no width where the features open and close, and at the end.

    """

    constants: NDArray[np.uint8]
    cells: NDArray[np.void]


def template_of(value: bytes, fields: Sequence[Field]) -> Template:
    """Learn from an accepted record without escapes."""
    columns = {field.name.encode(): column for column, field in enumerate(fields)}
    cells: list[Part] = []
    start = end = 0
    inside = False
    for match in PAIR.finditer(value):
        if inside and (brace := value.find(b"}", end, match.start())) >= 0:
            cells.append((value[start : brace + 1], CLOSING, SPANS[CLOSING]))
            start, inside = brace + 1, False
        first, end = match.span(2)
        if match[2] == b"{":
            kind, column, inside, end = OPENING, SPANS[OPENING], True, first
        elif inside:
            column = columns[match[1]]
            kind = KINDS[fields[column].kind]
        else:  # the quotes of id and time are constant
            kind, first, end = OUTER[match[1]], first + 1, end - 1
            column = SPANS[kind]
        cells.append((value[start:first], kind, column))
        start = end
    if inside:
        brace = value.index(b"}", end)
        cells.append((value[start : brace + 1], CLOSING, SPANS[CLOSING]))
        start = brace + 1
    cells.append((value[start:], ENDING, SPANS[ENDING]))
    return _packed(cells, fields)


def _packed(parts: Sequence[Part], fields: Sequence[Field]) -> Template:
    cells = cells_of([(kind, column) for _, kind, column in parts], fields)
    cells["length"] = [len(constant) for constant, _, _ in parts]
    cells["first"] = np.cumsum(cells["length"]) - cells["length"]
    joined = b"".join(constant for constant, _, _ in parts)
    return Template(np.frombuffer(joined + b"\0" * 8, dtype=np.uint8), cells)


def cells_of(kinds: Sequence[tuple[int, int]], fields: Sequence[Field]) -> NDArray[np.void]:
    """Lay out cells without constants, of kinds and columns."""
    cells = np.zeros(len(kinds), dtype=CELL)
    for cell, (kind, column) in zip(cells, kinds, strict=True):
        cell["kind"], cell["column"] = kind, column
        if kind >= INT:
            field = fields[column]
            cell["nullable"] = field.nullable
            cell["low"] = -np.inf if field.low is None else field.low
            cell["high"] = np.inf if field.high is None else field.high
    return cells

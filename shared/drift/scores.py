"""Scores of cells: what a histogram's mean is taken of, in standard deviations of the reference.

Every score has mean 0 and variance 1 under the reference's shares p, so that tolerances and effects
have one unit:

    location    a_k = F_k - p_k/2 - 1/2 with F the cumulative shares (ridits), centred and scaled
    dispersion  a^2, centred, made orthogonal to a, scaled; left out if nothing of it remains
    share of j  (1[k=j] - p_j) / sqrt(p_j (1 - p_j))

A share below .1 % counts as .1 % and is watched upwards only: the reference cannot tell it from 0.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from shared.drift.cells import Cells, NumberCells
from shared.drift.streams import Floats, Integers, Stream

FLOOR = 0.001
CONSTANT = 0.999
MOST_SHARES = 32
FLAT = 1e-6


def shape_streams(what: str, cells: Cells, counts: Integers) -> list[Stream]:
    """Score where a column's known values lie.

    Args:
        what: whom the streams blame.
        cells: of the column.
        counts: (width,) of the reference.

    Returns:
        location and dispersion of a number; the shares of a category's 32 most frequent values (the
        omnibus sees the others); of a constant the share of all else; nothing without values.

    """
    known = np.array(cells.known)
    rows = counts[known]
    n = int(rows.sum())
    if n == 0:
        return []
    shares = rows / n
    if shares.max() > CONSTANT:
        others = np.flatnonzero(shares < shares.max())
        return [share_stream(what, "other", known, others, shares, n)] if len(others) else []
    if isinstance(cells, NumberCells):
        return _ordered(what, known, shares, n)
    present = np.flatnonzero(shares > 0)
    chosen = present[:1] if len(present) == 2 else present[:MOST_SHARES]
    return [
        share_stream(what, cells.text(int(known[j])), known, np.array([j]), shares, n)
        for j in chosen
    ]


def missing_streams(name: str, cells: Cells, counts: Integers) -> list[Stream]:
    """Score the shares of null and of infinite values among all rows of a column."""
    watched = {f"null:{name}": (cells.null,), f"nonfinite:{name}": cells.nonfinite}
    return _share_streams(watched, counts)


def strange_streams(name: str, cells: Cells, counts: Integers) -> list[Stream]:
    """Score the share of values that the reference's range or categories do not hold."""
    kind = "range" if isinstance(cells, NumberCells) else "unseen"
    return _share_streams({f"{kind}:{name}": cells.strange}, counts)


def _share_streams(watched: Mapping[str, tuple[int, ...]], counts: Integers) -> list[Stream]:
    everything, n = np.arange(len(counts)), int(counts.sum())
    shares = counts / max(n, 1)
    return [
        share_stream(what, "share", everything, np.array(which), shares, n, upward=True)
        for what, which in watched.items()
        if which
    ]


def share_stream(
    what: str,
    aspect: str,
    cells: NDArray[np.intp],
    which: NDArray[np.intp],
    shares: Floats,
    rows: float,
    *,
    upward: bool = False,
) -> Stream:
    """Score the share of some of the cells.

    Args:
        what: whom the stream blames.
        aspect: what is special about these cells.
        cells: (k,) places that are counted.
        which: indices into them: those whose share it is.
        shares: (k,) of the reference.
        rows: of the reference.
        upward: only a rise matters, as it also does if the share is below the floor.

    """
    inside = np.zeros(len(cells), bool)
    inside[which] = True
    share = float(shares[inside].sum())
    p = min(max(share, FLOOR), 1.0 - FLOOR)
    sd = float(np.sqrt(p * (1.0 - p)))
    expected = np.where(inside, _spread(shares, inside) * p, _spread(shares, ~inside) * (1.0 - p))
    values = (inside - p) / sd
    return Stream(what, aspect, cells, values, expected, rows, upward or share < FLOOR, sd)


def _ordered(what: str, known: NDArray[np.intp], shares: Floats, n: int) -> list[Stream]:
    ridits = np.cumsum(shares) - shares / 2 - 0.5
    location = _standardised(ridits, shares)
    square = np.square(location)
    rest = square - 1.0 - (shares @ (square * location)) * location
    streams = [Stream(what, "location", known, location, shares, n)]
    if shares @ np.square(rest) >= FLAT:
        dispersion = _standardised(rest, shares)
        streams.append(Stream(what, "dispersion", known, dispersion, shares, n))
    return streams


def _standardised(values: Floats, shares: Floats) -> Floats:
    centred = values - shares @ values
    scaled: Floats = centred / np.sqrt(shares @ np.square(centred))
    return scaled


def _spread(shares: Floats, inside: NDArray[np.bool_]) -> Floats:
    """Share out 1 over some cells as the reference does; evenly if it has none."""
    total = shares[inside].sum()
    return np.where(inside, shares / total if total > 0 else 1.0 / max(inside.sum(), 1), 0.0)

"""Whether an id has been seen before, and said the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_128_digest

NEW, COPY, OTHER = range(3)
# What is remembered of an id that is not remembered.
NOTHING = 0


def names_of(ids: Iterable[bytes]) -> list[bytes]:
    """Name ids in 16 bytes each."""
    return [xxh3_128_digest(one) for one in ids]


def seen(
    names: Sequence[bytes],
    contents: NDArray[np.uint64],
    remembered: NDArray[np.uint64],
    *,
    correctable: bool,
) -> NDArray[np.int8]:
    """Tell of n records, in order, whether each is the first, a copy, or other content.

    Args:
        names: of their ids.
        contents: (n,) what they say.
        remembered: (n,) what was said last under each id before this batch, or NOTHING.
        correctable: whether other content takes the place of what was said before.

    Returns:
        (n,) NEW, COPY or OTHER.

    """
    answer = np.full(len(names), NEW, dtype=np.int8)
    suspects = remembered != NOTHING
    if len(set(names)) < len(names):
        times = Counter(names)
        suspects |= np.fromiter((times[name] > 1 for name in names), np.bool_, len(names))
    latest: dict[bytes, int] = {}
    for row in np.flatnonzero(suspects).tolist():
        name, content = names[row], int(contents[row])
        known = latest.setdefault(name, int(remembered[row]))
        if known != NOTHING:
            answer[row] = COPY if known == content else OTHER
        if known == NOTHING or correctable:
            latest[name] = content
    return answer

"""How much may be in flight at once: beyond it, senders are asked to come back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class Exhausted(Exception):
    """There is no room now; later there is."""


class Claim:
    """What one request holds of the budget."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.size = 0

    def grow(self, size: int) -> None:
        """Hold `size` bytes more.

        Raises:
            Exhausted: all requests together would hold more than is allowed.

        """
        if self._budget.held + size > self._budget.size:
            raise Exhausted(f"more than {self._budget.size:,} bytes are in flight")
        self._budget.held += size
        self.size += size


class Budget:
    """Bounds the requests in flight, and the bytes they hold.

    Args:
        requests: at most so many at once.
        size: bytes of all their bodies together.

    """

    def __init__(self, requests: int, size: int) -> None:
        self.requests, self.size = requests, size
        self.open = self.held = 0

    @contextmanager
    def claim(self) -> Iterator[Claim]:
        """Take a place, given back with all its bytes at the end.

        Raises:
            Exhausted: every place is taken.

        """
        if self.open >= self.requests:
            raise Exhausted(f"more than {self.requests:,} requests are in flight")
        self.open += 1
        claim = Claim(self)
        try:
            yield claim
        finally:
            self.open -= 1
            self.held -= claim.size

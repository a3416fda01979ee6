"""Under which keys one stream of one model is remembered."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one stream; the braces keep them in one slot of a Redis cluster."""

    model: str
    stream: str

    def ids(self) -> bytes:
        """Key of all ids, whatever their partition: a copy without a record key may come in any."""
        return self._of("id")

    def book(self, partition: int) -> bytes:
        """Key of what a partition has counted."""
        return self._of("book") + b"%d" % partition

    def window(self, partition: int, start: int) -> bytes:
        """Key of a closed window of a partition; `start` in ms."""
        return self._of("window") + b"%d:%d" % (partition, start)

    def _of(self, kind: str) -> bytes:
        return f"validation:{{{self.model}.{self.stream}}}:{kind}:".encode()

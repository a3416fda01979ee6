"""What happens to Kafka, Redis and a copy during a storm."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong.

    Attributes:
        after_s: wall seconds after the fault before it.
        name: the method of `Storm` that does it.
        arguments: of the method.

    """

    after_s: float
    name: str
    arguments: tuple[float, ...] = ()

    def __str__(self) -> str:
        return " ".join([self.name, *map(str, self.arguments)])


SHORT = (
    Fault(3, "flushed"),
    Fault(2, "without_redis", (2,)),
    Fault(2, "without_kafka", (0.5,)),
)
LONG = (
    Fault(20, "flushed"),
    Fault(25, "without_redis", (3,)),
    Fault(25, "without_kafka", (1,)),
    Fault(20, "without_a_copy", (12,)),
    Fault(25, "with_a_torn_redis", (40_000,)),
    Fault(25, "flushed"),
    Fault(3, "without_redis", (3,)),
    Fault(25, "without_kafka", (8,)),
    Fault(20, "without_a_copy", (12,)),
    Fault(20, "with_a_torn_redis", (400_000,)),
)

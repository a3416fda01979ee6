"""The rows of the matrix, in their order."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from tests.faults import broker, copies, disorder, handlers, kills, poison, redis, terms
from tests.faults.finding import Finding
from tests.faults.world import World

Scenario = Callable[[World], Coroutine[Any, Any, Finding]]

MATRIX: dict[str, Scenario] = {
    "kill": kills.sigkill,
    "term": terms.sigterm,
    "term-slow": terms.slow_batch,
    "stop": copies.stopped,
    "scale": copies.scaled,
    "kafka-1s": partial(broker.killed, away_s=1),
    "kafka-40s": partial(broker.killed, away_s=40),
    "kafka-frozen": broker.frozen,
    "kafka-absent": broker.absent,
    "poison": poison.mixed_in,
    "bad-deploy": handlers.bad_deploy,
    "raise": handlers.raising,
    "unpublishable": handlers.unpublishable,
    "disorder": disorder.disorder,
    "redis-flush": redis.emptied,
    "redis-killed": redis.killed,
    "redis-read-only": redis.read_only,
    "crash-poison": handlers.crash_poison,
}

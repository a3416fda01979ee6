"""Inference over HTTP: ours beside a constant reply of the same server, in turns on one core."""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop

from deploy.local.ports import Ports
from deploy.local.stack import infrastructure
from shared.artifacts import Artifacts
from tests.benchmarks import mlserver as peer
from tests.benchmarks.figures import middle
from tests.benchmarks.load import load, post
from tests.benchmarks.material import INTS, MODEL, NAMES, trained, values
from tests.benchmarks.server import Server, module, running
from tests.benchmarks.world import World, world

BODIES, REQUESTS, WARM = 256, 20_000, 2_000
PORTS = Ports()


@dataclass
class Variant:
    """A server, what it is asked, and what was measured so far."""

    name: str
    server: Server
    requests: Sequence[bytes]
    number: int = REQUESTS
    cpu_us: list[float] = field(default_factory=list)
    p50_ms: list[float] = field(default_factory=list)
    p99_ms: list[float] = field(default_factory=list)

    def measure(self) -> None:
        """Send the requests once more."""
        before = self.server.cpu_s()
        latencies = uvloop.run(load(self.server.port, self.requests, self.number))
        self.cpu_us.append((self.server.cpu_s() - before) / self.number * 1e6)
        cuts = statistics.quantiles(latencies, n=100)
        self.p50_ms.append(cuts[49] * 1000)
        self.p99_ms.append(cuts[98] * 1000)


def bodies(rows: int = 1, per_feature: bool = False) -> list[bytes]:
    """Write requests, no two alike."""
    drawn = values(rows * BODIES, seed=9).tolist()
    return [
        json.dumps({"inputs": _inputs(drawn[start : start + rows], per_feature)}).encode()
        for start in range(0, rows * BODIES, rows)
    ]


def _inputs(rows: list[list[float]], per_feature: bool) -> list[dict[str, Any]]:
    if not per_feature:
        flat = [value for row in rows for value in row]
        shape = [len(rows), len(NAMES)]
        return [{"name": "features", "datatype": "FP64", "shape": shape, "data": flat}]
    return [
        {
            "name": name,
            "datatype": "INT64" if n < INTS else "FP64",
            "shape": [len(rows), 1],
            "data": [int(row[n]) if n < INTS else row[n] for row in rows],
        }
        for n, name in enumerate(NAMES)
    ]


def measure(rounds: int, mlserver: Path | None = None) -> list[dict[str, Any]]:
    """Measure in turns; CPU of the server's process per request, in microseconds.

    Args:
        rounds: of all variants, one after the other.
        mlserver: folder of the environment that has MLServer, if it is to be measured.

    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        variants = _started(stack, folder, mlserver)
        for variant in variants:
            uvloop.run(load(variant.server.port, variant.requests, min(WARM, variant.number)))
        for _ in range(rounds):
            for variant in variants:
                variant.measure()
        return [_row(variant, variants[0]) for variant in variants]


def _started(stack: ExitStack, folder: Path, mlserver: Path | None) -> list[Variant]:
    """Start all servers on one core: the ceiling, serving, and MLServer if it is there."""
    kafka, _ = stack.enter_context(infrastructure(folder))
    ground, files = stack.enter_context(world(kafka)), trained(200)
    artifact = Artifacts(folder / "artifacts").put(files)
    asyncio.run(ground.release("1.0.0", artifact))
    environment, ready = _environment(ground, folder), f"/v2/models/{MODEL}/ready"

    def start(command: Sequence[str], port: int, path: str, own: Mapping[str, str]) -> Server:
        log = folder / f"{port}.log"
        return stack.enter_context(running(command, port, path, log, own))

    with _pinned(stack):
        first, second, third = PORTS.any(), PORTS.any(), PORTS.any()
        ceiling = start(module("tests.benchmarks.constant", first), first, "/", {})
        own = start(module("services.serving", second), second, ready, environment)
        variants = _variants(ceiling, own)
        if mlserver:
            command = peer.command(mlserver, folder, files["model.txt"], third)
            other = start(command, third, peer.READY, {})
            requests = [post(peer.INFER, body) for body in bodies()]
            variants.append(Variant("MLServer, one row", other, requests, REQUESTS // 8))
    return variants


def summary(rows: list[dict[str, Any]]) -> dict[str, float | None]:
    """Take the headline figures, both from the medians of one run."""
    found = {row["variant"]: row for row in rows}
    own, other = found["one row"], found.get("MLServer, one row")
    times = [
        theirs / mine for theirs, mine in zip((other or own)["cpu_us"], own["cpu_us"], strict=True)
    ]
    headline = {"http_constant_ratio": middle(own["ratio"])}
    return headline | ({"http_vs_mlserver": middle(times)} if other else {})


def _variants(ceiling: Server, ours: Server) -> list[Variant]:
    infer = f"/v2/models/{MODEL}/infer"
    version = f"/v2/models/{MODEL}/versions/1.0.0/infer"
    single = bodies()
    return [
        Variant("constant reply", ceiling, [post(infer, body) for body in single]),
        Variant("one row", ours, [post(infer, body) for body in single]),
        Variant("one row, not published", ours, [post(version, body) for body in single]),
        Variant(
            "one row, a tensor per feature",
            ours,
            [post(infer, body) for body in bodies(per_feature=True)],
        ),
        Variant("32 rows", ours, [post(infer, body) for body in bodies(32)], REQUESTS // 16),
    ]


def _environment(ground: World, folder: Path) -> dict[str, str]:
    return {
        "DRIFTWHEEL_KAFKA": ground.kafka,
        "DRIFTWHEEL_PREFIX": ground.prefix,
        "DRIFTWHEEL_STATE": str(folder),
        "DRIFTWHEEL_STREAM": "false",
        # The load never pauses: rows of 32 each come faster than they can be published.
        "DRIFTWHEEL_HTTP_QUEUE": "1000000",
    }


@contextmanager
def _pinned(stack: ExitStack) -> Iterator[None]:
    """Start servers on the first core, then stay on the others until the stack ends."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(cores) < 2:
        yield
        return
    stack.callback(os.sched_setaffinity, 0, cores)
    os.sched_setaffinity(0, cores[:1])
    yield
    os.sched_setaffinity(0, cores[1:])


def _row(variant: Variant, ceiling: Variant) -> dict[str, Any]:
    ratios = [most / own for most, own in zip(ceiling.cpu_us, variant.cpu_us, strict=True)]
    return {
        "variant": variant.name,
        "cpu_us": variant.cpu_us,
        "ratio": ratios,
        "p50_ms": variant.p50_ms,
        "p99_ms": variant.p99_ms,
        "rss_mb": variant.server.rss_mb(),
    }

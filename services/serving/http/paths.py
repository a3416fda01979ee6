"""Paths of the protocol to what they ask."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from services.serving.ports import Unknown

What = Literal["server", "live", "ready", "model", "model ready", "infer"]
FIXED: dict[str, What] = {"/v2": "server", "/v2/health/live": "live", "/v2/health/ready": "ready"}
ACTIONS: dict[str | None, What] = {None: "model", "ready": "model ready", "infer": "infer"}
MODEL = re.compile(r"/v2/models/([^/]+)(?:/versions/([^/]+))?(?:/(ready|infer))?/?")


@dataclass(frozen=True, slots=True)
class Target:
    """What a path asks, and by which method; without a version, whichever decides."""

    what: What
    method: Literal["GET", "POST"] = "GET"
    model: str = ""
    version: str | None = None


@lru_cache(maxsize=1024)
def target_of(path: str) -> Target:
    """Read a path.

    Raises:
        Unknown: it belongs to no part of the protocol.

    """
    fixed = FIXED.get(path.rstrip("/"))
    if fixed is not None:
        return Target(fixed)
    match = MODEL.fullmatch(path)
    if match is None:
        raise Unknown(f"there is nothing at {path[:200]!r}: see GET /v2")
    method: Literal["GET", "POST"] = "POST" if match[3] == "infer" else "GET"
    return Target(ACTIONS[match[3]], method, match[1], match[2])

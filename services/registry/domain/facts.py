"""What the registry records; field names are those of the contracts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

PRIOR = "0.0.0"


@dataclass(frozen=True, slots=True)
class Interval:
    """A difference with its confidence interval."""

    mean: float
    low: float
    high: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Slice:
    """Candidate against champion on one slice of the pinned rows."""

    feature: str
    value: str
    rows: int
    candidate_loss: float
    champion_loss: float
    difference: Interval


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Candidate against champion on the same pinned rows; losses are means per row."""

    metric: str
    rows: int
    start: datetime
    end: datetime
    digest: str
    candidate_loss: float
    champion_version: str
    champion_loss: float
    prior_loss: float
    difference: Interval
    predicted: float
    observed: float
    loss_sd: float
    slices: tuple[Slice, ...]


@dataclass(frozen=True, slots=True)
class VersionRef:
    """A model version and the files that it is."""

    version: str
    algorithm: str
    artifact: str | None = None
    trained_at: datetime | None = None
    loss: float | None = None
    loss_sd: float | None = None
    baseline: str | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One rule of the gate, and what was measured."""

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Declared:
    """The declaration, as JSON with all defaults in force, and its digest."""

    declaration: Mapping[str, Any]
    digest: str
    kind: Literal["declared"] = "declared"


@dataclass(frozen=True, slots=True)
class Registered:
    """A trained candidate and its version; `declaration` is the digest it was trained under."""

    version: VersionRef
    run_id: str
    declaration: str
    rows: int
    evaluation: Evaluation
    kind: Literal["registered"] = "registered"


@dataclass(frozen=True, slots=True)
class Gated:
    """The gate's judgement of a version."""

    version: str
    passed: bool
    checks: tuple[Check, ...]
    kind: Literal["gated"] = "gated"


@dataclass(frozen=True, slots=True)
class Promoted:
    """The champion's alias has moved."""

    version: str
    previous: str | None
    how: Literal["gate", "command", "rollback", "declaration"]
    kind: Literal["promoted"] = "promoted"


@dataclass(frozen=True, slots=True)
class Failed:
    """A run without a candidate."""

    run_id: str
    kind: Literal["failed"] = "failed"


@dataclass(frozen=True, slots=True)
class Requested:
    """A run was asked for."""

    kind: Literal["requested"] = "requested"


@dataclass(frozen=True, slots=True)
class Rejected:
    """A command or candidate that was not carried out."""

    kind: Literal["rejected"] = "rejected"


@dataclass(frozen=True, slots=True)
class Unchanged:
    """What was asked for was so already."""

    kind: Literal["unchanged"] = "unchanged"


Fact = Declared | Registered | Gated | Promoted | Failed | Requested | Rejected | Unchanged

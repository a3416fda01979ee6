"""Declarations, versions and releases: commands to the registry and what it records."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from contracts.base import Digest, Event, Finite, Reason, Strict, Topic, Value, Version
from contracts.declaration import Declaration
from contracts.training import Evaluation

Actor = Annotated[str, Field(min_length=1, max_length=200)]


class Declare(Strict):
    """Declare a model, or change its declaration."""

    kind: Literal["declare"]
    declaration: Declaration


class Promote(Strict):
    """Make a registered version the champion; `force` overrules a refusal of the gate."""

    kind: Literal["promote"]
    version: Version
    force: bool = False


class RollBack(Strict):
    """Return to an earlier champion: the one before, or the version named."""

    kind: Literal["roll_back"]
    version: Version | None = None


class Train(Strict):
    """Ask for a training run."""

    kind: Literal["train"]


class RegistryCommand(Event):
    """What somebody wants the registry to do; answered by one or more RegistryRecorded.

    Produced by user. Consumed by registry.
    """

    actor: Actor
    expected_revision: int | None = Field(
        None, ge=0, description="Refused when the model has moved on; None: whatever it is."
    )
    reason: Reason = ""
    order: Declare | Promote | RollBack | Train = Field(discriminator="kind")


class VersionRef(Value):
    """A model version and the files that it is."""

    version: Version
    algorithm: str = Field(max_length=100, description="prior, linear or lightgbm.")
    artifact: Digest | None = Field(description="Tree digest; None for the declared prior.")
    trained_at: AwareDatetime | None = Field(description="Event time of the last row it has seen.")
    loss: Finite | None = Field(description="Mean loss on its pinned rows: the baseline.")
    loss_sd: Finite | None = Field(description="Standard deviation of that loss per row.")
    baseline: Digest | None = Field(
        None, description="Tree digest of what monitor compares its traffic with; None: nothing."
    )


class Declared(Value):
    """The declaration was accepted."""

    kind: Literal["declared"]
    declaration: Declaration
    digest: Digest


class Registered(Value):
    """A trained candidate has got its version number."""

    kind: Literal["registered"]
    version: VersionRef
    run_id: str
    declaration: Digest
    rows: int
    evaluation: Evaluation


class Check(Value):
    """One rule of the gate, and what was measured."""

    name: str
    passed: bool
    detail: Reason


class Gated(Value):
    """The gate has judged a version."""

    kind: Literal["gated"]
    version: Version
    passed: bool
    checks: tuple[Check, ...] = Field(max_length=1100)


class Promoted(Value):
    """The champion's alias has moved: by the gate, by command, or back."""

    kind: Literal["promoted"]
    version: Version
    previous: Version | None
    how: Literal["gate", "command", "rollback", "declaration"]


class Failed(Value):
    """A training run brought no candidate."""

    kind: Literal["failed"]
    run_id: str


class Requested(Value):
    """A training run was asked for."""

    kind: Literal["requested"]


class Rejected(Value):
    """A command or candidate was not carried out."""

    kind: Literal["rejected"]


class Unchanged(Value):
    """What was asked for was so already."""

    kind: Literal["unchanged"]


Fact = Declared | Registered | Gated | Promoted | Failed | Requested | Rejected | Unchanged


class RegistryRecorded(Event):
    """One entry of the registry's log, which is all its state.

    Produced by registry. Consumed by registry, client.
    """

    seq: int = Field(ge=1, description="Revision of the model after this entry.")
    actor: Actor
    reason: Reason
    previous: Digest = Field(
        description="Of the model's entry before, as RFC 8785 JSON; zeros first."
    )
    fact: Fact = Field(discriminator="kind")


class ModelDeclared(Event):
    """A model exists, with all defaults in force.

    Produced by registry. Consumed by ingest, validation, serving, monitor, training, client.
    """

    revision: int = Field(ge=1)
    digest: Digest
    declaration: Declaration


class Plan(Value):
    """Which version decides; in force from its record's append time plus `lead_ms`."""

    plan_id: str
    stable: VersionRef
    candidate: VersionRef | None = None
    canary_bp: int = Field(0, ge=0, le=10_000, description="Basis points of the keys.")
    withdrawn: Version | None = Field(None, description="Decides nothing from receipt on.")


class PastPlan(Value):
    """An earlier plan with the time from which it was in force."""

    effective: AwareDatetime | None = Field(description="Broker time; None: from the beginning.")
    plan: Plan


class ReleaseChanged(Event):
    """The plan of a model's traffic has changed.

    Produced by registry. Consumed by serving, monitor, training, client.
    """

    revision: int = Field(ge=1)
    plan: Plan
    lead_ms: int = Field(2000, ge=0)
    history: tuple[PastPlan, ...] = Field(
        (), max_length=1000, description="Oldest first: compaction would destroy the rule."
    )
    reason: Reason


REGISTRY_COMMANDS = Topic(
    "registry.commands.v1", RegistryCommand, producer="user", consumers=("registry",)
)
REGISTRY_RECORDED = Topic(
    "registry.recorded.v1",
    RegistryRecorded,
    producer="registry",
    consumers=("registry", "client"),
    retention=None,
)
MODEL_DECLARED = Topic(
    "model.declared.v1",
    ModelDeclared,
    producer="registry",
    consumers=("ingest", "validation", "serving", "monitor", "training", "client"),
    cleanup="compact",
    retention=None,
)
RELEASE_CHANGED = Topic(
    "release.changed.v1",
    ReleaseChanged,
    producer="registry",
    consumers=("serving", "monitor", "training", "client"),
    cleanup="compact",
    retention=None,
)

"""What training needs from the world: the offline store, and somebody who carries out runs."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from contracts.base import Window
from contracts.declaration import Declaration
from contracts.registry import VersionRef
from contracts.training import Dataset, Evaluation, Trial
from services.training.domain.situation import Rules
from services.training.domain.split import SMALLEST_PARTS

LASTING_WINDOWS = 10


class Row(NamedTuple):
    """One outcome, decoded by the type of its declaration, and its place in the log."""

    outcome: Any
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Summary:
    """What one model's table holds.

    Attributes:
        version: of the table.
        labels: matured labels; a correction counts once more.
        watermark: greatest event time; None while the table is empty.

    """

    version: int
    labels: int
    watermark: datetime | None


class Store(Protocol):
    """The offline store: one table of outcomes per model."""

    async def keep(
        self,
        declaration: Declaration,
        topic: str,
        rows: Sequence[Row],
        through: Mapping[int, int],
    ) -> None:
        """Take outcomes in; copies of what is there already change nothing.

        Args:
            declaration: of the model.
            topic: real name of the topic they stood in.
            rows: outcomes, in log order within each partition.
            through: partition -> highest offset that is covered.

        Raises:
            Rejected: a feature has another type than in the table.
            Transient: the table cannot be written now.

        """
        ...

    async def flush(self, model: str | None = None) -> None:
        """Write what is buffered, of one model or of all.

        Raises:
            Transient: the table cannot be written now.

        """
        ...

    async def summary(self, model: str, *, unlabelled: bool) -> Summary | None:
        """Sum up what is written; None without a table. `unlabelled`: these count as labels."""
        ...

    async def labels_within(
        self, model: str, spans: Sequence[tuple[datetime, datetime]], *, unlabelled: bool
    ) -> int:
        """Count matured labels by event time, each span until before its end."""
        ...

    async def reopen(
        self, partitions: Mapping[str, tuple[str, frozenset[int]]]
    ) -> dict[tuple[str, int], int]:
        """Forget what is buffered and tell where each partition goes on.

        Args:
            partitions: model -> its topic and the partitions to read.

        Returns:
            (topic, partition) -> the offset after the last one that is written.

        """
        ...

    def version(self, model: str) -> int | None:
        """Tell the table's version after our last commit; None without a table."""
        ...

    def uri(self, model: str) -> str:
        """Say where the table is."""
        ...


class Job(BaseModel):
    """All that a run is given: the same job yields the same model, to the byte.

    Attributes:
        declaration_digest: as the registry has recorded it.
        uri, version: the pinned table.
        until: rows of later events are not looked at.
        since: change point; what happened after it is also learned from alone.
        excluded: event times whose rows are not looked at.
        champion: what the candidate is compared with.
        artifacts: folder of the model files.

    """

    model_config = ConfigDict(frozen=True)

    run_id: str
    declaration: Declaration
    declaration_digest: str
    uri: str
    version: int
    until: AwareDatetime
    since: AwareDatetime | None = None
    excluded: tuple[Window, ...] = ()
    champion: VersionRef
    artifacts: Path


class Result(BaseModel):
    """What a run brought.

    Attributes:
        baseline: tree digest of {"baseline.json"}; None where none could be built.
        remark: why there is no baseline, or what it cannot watch.

    """

    model_config = ConfigDict(frozen=True)

    artifact: str
    algorithm: str
    dataset: Dataset
    trials: tuple[Trial, ...]
    evaluation: Evaluation
    baseline: str | None = None
    remark: str = ""
    seconds: float


class RunFailed(Exception):
    """A run has ended without a model; the text says why and what to look at."""


class Launcher(Protocol):
    """Carries out runs."""

    async def run(self, job: Job) -> Result:
        """Carry out a run to its end; one that was interrupted begins again.

        Raises:
            RunFailed: it ended without a model.

        """
        ...


class Policy(BaseModel):
    """When to train: by the declaration's own rules or by another, with fields of it replaced.

    Attributes:
        trigger: what asks for a run once there is a first model. declared: drift, age and volume,
            as the declaration says. schedule: every `max_age`. psi: a window in which any
            feature's population stability index is above `psi`. never: nothing.
        psi: that threshold, nats.
        drift, retraining: fields of the declaration to replace.

    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=60)
    trigger: Literal["declared", "schedule", "psi", "never"] = "declared"
    psi: float = Field(0.2, gt=0, allow_inf_nan=False)
    drift: dict[str, Any] = Field(default_factory=dict)
    retraining: dict[str, Any] = Field(default_factory=dict)

    def applied(self, declaration: Declaration) -> Declaration:
        """Replace fields of a declaration.

        Raises:
            ValueError: a field that there is not, or a value that it cannot have.

        """
        document = declaration.model_dump(mode="json")
        document["spec"]["drift"] |= self.drift
        document["spec"]["retraining"] |= self.retraining
        return Declaration.model_validate_json(json.dumps(document))


POLICIES = (
    Policy(name="never", trigger="never"),
    Policy(name="schedule", trigger="schedule"),
    Policy(name="PSI > 0.2", trigger="psi"),
    Policy(name="ours"),
)


class Question(BaseModel):
    """What a backtest is to answer.

    Attributes:
        uri: the model's table; its newest version is read.
        start, end: event times to decide in, until before `end`; None: the first, the last. What
            lies before `start` is known, and can be learned from.
        policies: to compare.
        run_time: event time that a run takes.
        picture: its format, if one is wanted.

    """

    model_config = ConfigDict(frozen=True)

    declaration: Declaration
    uri: str
    start: AwareDatetime | None = None
    end: AwareDatetime | None = None
    policies: tuple[Policy, ...] = Field(POLICIES, min_length=1, max_length=20)
    run_time: timedelta = timedelta(minutes=10)
    picture: Literal["svg", "png"] | None = None


BUSY = "a backtest goes on already; wait for its end, or end it"


class Backtests(Protocol):
    """Carries out backtests, one at a time."""

    def busy(self) -> bool:
        """Tell whether one goes on."""
        ...

    def lines(self, question: Question) -> AsyncIterator[bytes]:
        """Carry one out; closing the iterator ends it.

        Yields:
            JSON lines: {"done": share, "said": text}, at the end {"result": ...} or
            {"error": text}.

        """
        ...


def rules_of(declaration: Declaration) -> Rules:
    """Read what a declaration says about retraining."""
    rules, gates = declaration.spec.retraining, declaration.spec.gates
    return Rules(
        max_age=rules.max_age,
        cooldown=rules.cooldown,
        # With fewer the gate would have fewer pinned rows than it asks for.
        min_labels=max(rules.min_labels, SMALLEST_PARTS * gates.slice_rows),
        volume=rules.volume,
        lasting=LASTING_WINDOWS * declaration.spec.drift.window,
    )

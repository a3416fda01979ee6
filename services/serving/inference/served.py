"""A model under one release: what follows from its declaration, and who decides now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from contracts.data import LARGEST, PREDICTIONS
from contracts.declaration import Declaration
from services.serving.domain.features import Feature, RowWriter
from services.serving.domain.inferred import Author
from services.serving.domain.predictions import Writer
from services.serving.domain.protocol import ModelMetadata
from services.serving.domain.replies import Outputs, UsualReply
from services.serving.domain.signature import Signature
from services.serving.domain.timeline import Plan
from services.serving.inference.scoring import Scorer
from services.serving.ports import Release, Unknown
from shared.models import Model

PLATFORM = "lightgbm_text"
STANDS = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Opened:
    """A version that can answer, and the plan under which it does."""

    plan: Plan
    scorer: Scorer
    author: Author
    reply: UsualReply


class Standing(NamedTuple):
    """A version that was found, and for how long that is believed."""

    opened: Opened
    since: datetime
    until: datetime


class Served:
    """One model under one release: what is derived from it once, and who decides now."""

    def __init__(self, release: Release) -> None:
        self.release, self.name = release, release.declaration.name
        self.signature = Signature(features_of(release.declaration))
        self.features = RowWriter(self.signature.features)
        self.outputs = Outputs(release.rule)
        self._standing: dict[str | None, Standing] = {}
        self._opened: dict[str, Opened] = {}

    def standing(self, version: str | None, now: datetime) -> Opened | None:
        """Answer a version, or without one who decides now, if found within the last second."""
        found = self._standing.get(version)
        return found.opened if found and found.since <= now < found.until else None

    def stands(self, version: str | None, opened: Opened, now: datetime) -> Opened:
        """Keep it in mind for a second, or until the next plan is in force."""
        next_ms = next((t for t in self.release.timeline.times if t > milliseconds(now)), None)
        until = now + STANDS
        if next_ms is not None and next_ms < milliseconds(until):
            until = datetime.fromtimestamp(next_ms / 1000, UTC)
        self._standing[version] = Standing(opened, now, until)
        return opened

    def opened(self, plan: Plan, model: Model) -> Opened:
        """Prepare, once, what predictions of this version under this plan have in common."""
        known = self._opened.get(plan.plan_id)
        if known is None or known.scorer.model is not model:
            topic, rule = PREDICTIONS.name(self.name), self.release.rule
            writer = Writer.of(topic, self.name, plan.version, plan.plan_id, rule.answers)
            author = Author(self.name, plan.version, writer, self.features)
            reply = UsualReply(self.name, plan.version, self.outputs)
            known = Opened(plan, Scorer(model, self.signature.features, rule), author, reply)
            self._opened[plan.plan_id] = known
        return known

    def metadata(self, version: str | None) -> ModelMetadata:
        """Describe the model, or one version of it.

        Raises:
            Unknown: there is no such version.

        """
        plans = self.release.timeline.plans
        versions = list(dict.fromkeys(plan.version for plan in plans))
        if version is not None:
            versions = [self.plan_of(version).version]
        inputs, outputs = self.signature.inputs(), self.outputs.metadata
        return ModelMetadata(self.name, versions, PLATFORM, inputs, outputs)

    def plan_of(self, version: str) -> Plan:
        """Find the last plan of a version.

        Raises:
            Unknown: there is none.

        """
        for plan in reversed(self.release.timeline.plans):
            if plan.version == version:
                return plan
        raise Unknown(f"model {self.name!r} has no version {version!r}")


def features_of(declaration: Declaration) -> list[Feature]:
    """Read the declared features; whole numbers have the bounds of the contract."""
    return [
        Feature(
            name,
            feature.type,
            feature.min if feature.min is not None or feature.type != "int" else -LARGEST,
            feature.max if feature.max is not None or feature.type != "int" else LARGEST,
            frozenset(feature.categories) if feature.categories else None,
            feature.nullable,
        )
        for name, feature in declaration.spec.features.items()
    ]


def milliseconds(moment: datetime) -> float:
    """Count from 1970 on, as Kafka does."""
    return moment.timestamp() * 1000

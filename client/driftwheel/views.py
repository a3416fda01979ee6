"""Models as the registry's log tells them: versions, verdicts, champion."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from driftwheel.facts import Fact


@dataclass(slots=True)
class Model:
    """What is known of one model.

    Attributes:
        versions: version -> algorithm, trained_at, rows, loss, gate, promoted, in order of birth.
        candidate: the version on trial, if one is.

    """

    name: str
    task: str = ""
    revision: int = 0
    digest: str = ""
    champion: str | None = None
    candidate: str | None = None
    versions: dict[str, dict[str, Any]] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """Write for a reader."""
        return {
            "model": self.name,
            "task": self.task,
            "revision": self.revision,
            "declaration": self.digest,
            "champion": self.champion,
            "candidate": self.candidate,
            "versions": [{"version": name, **about} for name, about in self.versions.items()],
        }


def models_of(facts: Iterable[Fact]) -> dict[str, Model]:
    """Fold registry.recorded and release.changed into models, by name."""
    models: dict[str, Model] = {}
    for fact in facts:
        model = models.setdefault(fact.model, Model(fact.model))
        if fact.subject == "release.changed":
            _release(model, fact.content["plan"])
        elif fact.subject == "registry.recorded":
            model.revision = max(model.revision, fact.content["seq"])
            _record(model, fact)
    return dict(sorted(models.items()))


def _release(model: Model, plan: Mapping[str, Any]) -> None:
    candidate = plan.get("candidate")
    model.champion = plan["stable"]["version"]
    model.candidate = candidate["version"] if candidate else None
    for version in (plan["stable"], candidate):
        if version:
            known = model.versions.setdefault(version["version"], _unknown())
            known |= {name: version.get(name) for name in ("algorithm", "trained_at", "loss")}


def _record(model: Model, fact: Fact) -> None:
    what = fact.content["fact"]
    if what["kind"] == "declared":
        model.task, model.digest = what["declaration"]["spec"]["task"], what["digest"]
    elif what["kind"] == "registered":
        version = what["version"]
        known = model.versions.setdefault(version["version"], _unknown())
        known |= {name: version.get(name) for name in ("algorithm", "trained_at", "loss")}
        known["rows"] = what["rows"]
    elif what["kind"] == "gated":
        failed = [check["detail"] for check in what["checks"] if not check["passed"]]
        verdict = "passed" if what["passed"] else f"refused: {'; '.join(failed)}"
        model.versions.setdefault(what["version"], _unknown())["gate"] = verdict
    elif what["kind"] == "promoted":
        known = model.versions.setdefault(what["version"], _unknown())
        known["promoted"] = f"{what['how']}, {fact.at.isoformat()}"


def _unknown() -> dict[str, Any]:
    names = ("algorithm", "trained_at", "rows", "loss", "gate", "promoted")
    return dict.fromkeys(names)

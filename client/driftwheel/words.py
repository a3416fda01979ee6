"""Facts of the control plane in words, one line each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from driftwheel.facts import Fact

Content = Mapping[str, Any]


def sentence(fact: Fact) -> str:
    """Tell a fact in one line."""
    tell = SUBJECTS.get(fact.subject)
    return tell(fact.content) if tell else fact.subject


def _recorded(content: Content) -> str:
    fact, reason = content["fact"], content["reason"]
    told = FACTS[fact["kind"]](fact) if fact["kind"] in FACTS else str(fact["kind"])
    return f"{told}: {reason}" if reason else told


def _registered(fact: Content) -> str:
    version, evaluation = fact["version"], fact["evaluation"]
    return (
        f"version {version['version']} registered, {version['algorithm']} on {fact['rows']:,} "
        f"rows, {evaluation['metric']} {evaluation['candidate_loss']:.4f} against "
        f"{evaluation['champion_loss']:.4f} of {evaluation['champion_version']}"
    )


def _gated(fact: Content) -> str:
    if fact["passed"]:
        return f"gate passed by {fact['version']}, {len(fact['checks'])} checks"
    failed = [f"{c['name']} ({c['detail']})" for c in fact["checks"] if not c["passed"]]
    return f"gate refused {fact['version']}, {'; '.join(failed)}"


def _promoted(fact: Content) -> str:
    before = f" instead of {fact['previous']}" if fact["previous"] else ""
    verb = "returned" if fact["how"] == "rollback" else "promoted"
    return f"version {fact['version']} {verb} by {fact['how']}{before}"


def _decided(content: Content) -> str:
    return (
        f"training {content['decision']} on {content['trigger']}, {content['labels']:,} labels "
        f"({content['new_labels']:,} new): {content['reason']}"
    )


def _drifted(content: Content) -> str:
    blamed = f"; most in {', '.join(content['blamed'])}" if content["blamed"] else ""
    return (
        f"drift in {content['detector']} of {content['version']}, evidence "
        f"{content['evidence']:.3g} over {content['level']:.3g}: {content['summary']}{blamed}"
    )


FACTS: dict[str, Callable[[Content], str]] = {
    "declared": lambda fact: f"declared as {fact['digest'][:12]}",
    "registered": _registered,
    "gated": _gated,
    "promoted": _promoted,
    "failed": lambda fact: f"training run {fact['run_id'][:8]} brought no candidate",
    "requested": lambda _: "training requested",
    "rejected": lambda _: "command refused",
    "unchanged": lambda _: "nothing to change",
}
SUBJECTS: dict[str, Callable[[Content], str]] = {
    "registry.recorded": _recorded,
    "training.decided": _decided,
    "drift.detected": _drifted,
}

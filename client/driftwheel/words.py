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
    tell = FACTS.get(content["fact"]["kind"])
    return tell(content) if tell else f"{content['fact']['kind']}: {content['reason']}"


def _registered(content: Content) -> str:
    fact = content["fact"]
    version, evaluation = fact["version"], fact["evaluation"]
    return (
        f"version {version['version']} registered, {version['algorithm']} on {fact['rows']:,} "
        f"rows, {evaluation['metric']} {evaluation['candidate_loss']:.4f} against "
        f"{evaluation['champion_loss']:.4f} of {evaluation['champion_version']}"
    )


def _promoted(content: Content) -> str:
    fact = content["fact"]
    before = f" instead of {fact['previous']}" if fact["previous"] else ""
    verb = "returned" if fact["how"] == "rollback" else "promoted"
    # What the gate has found stands in its own entry already.
    why = f": {content['reason']}" if content["reason"] and fact["how"] != "gate" else ""
    return f"version {fact['version']} {verb} by {fact['how']}{before}{why}"


def _decided(content: Content) -> str:
    return f"training {content['reason']} (trigger {content['trigger']})"


def _drifted(content: Content) -> str:
    what = f"drift of {content['version']} in {content['detector']}{_since(content)}"
    return f"{what}: {content['summary']}"


def _alerted(content: Content) -> str:
    fields = ", ".join(content["blamed"])
    return f"alert on {content['detector']} of {fields}{_since(content)}: {content['summary']}"


def _since(content: Content) -> str:
    return f" since {content['since'][:10]}" if content.get("since") else ""


FACTS: dict[str, Callable[[Content], str]] = {
    "declared": lambda content: f"declared: {content['reason']}",
    "unchanged": lambda content: f"nothing to change: {content['reason']}",
    "registered": _registered,
    "gated": lambda content: f"gate {content['reason']}",
    "promoted": _promoted,
    "failed": lambda content: f"training failed: {content['reason']}",
    "requested": lambda content: f"training requested by {content['actor']}: {content['reason']}",
    "rejected": lambda content: f"refused: {content['reason']}",
}
SUBJECTS: dict[str, Callable[[Content], str]] = {
    "registry.recorded": _recorded,
    "training.decided": _decided,
    "drift.detected": _drifted,
    "alert.raised": _alerted,
    "alert.resolved": lambda content: (
        f"alert on {content['detector']} is over: {content['summary']}"
    ),
}

"""Version numbers, computed and never typed."""

from __future__ import annotations

from collections.abc import Iterable

from services.registry.domain.facts import PRIOR


def parts(version: str) -> tuple[int, int, int]:
    """Read major, minor and patch; versions sort by them."""
    major, minor, patch = version.split(".")
    return int(major), int(minor), int(patch)


def next_version(registered: Iterable[str], *, same_contract: bool) -> str:
    """Count the next version up from the highest one.

    Args:
        registered: versions so far; none means that 0.0.0, the prior, is the only one.
        same_contract: a retrained model is a patch; new features, label or metric a minor.

    """
    major, minor, patch = max(map(parts, registered), default=parts(PRIOR))
    return f"{major}.{minor}.{patch + 1}" if same_contract else f"{major}.{minor + 1}.0"

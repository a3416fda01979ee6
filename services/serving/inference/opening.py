"""Opens the version that a plan names, or the one that stands in for it."""

from __future__ import annotations

import asyncio

from services.serving.domain.timeline import Plan
from services.serving.ports import Library, Release, Unusable
from shared.errors import Transient
from shared.models import Model


async def deciding(
    release: Release, library: Library, index: int, within_s: float | None = None
) -> tuple[Plan, Model]:
    """Open what the plan at `index` names; what cannot be used leaves it to the one before.

    Raises:
        Transient: a version is not there yet, or none can be used.

    """
    reason = ""
    for plan in release.timeline.choices(index):
        try:
            return plan, await version_of(release, library, plan, within_s)
        except Unusable as error:
            reason = str(error)
    raise Transient(f"no version of {release.declaration.name} can be used: {reason}")


async def version_of(
    release: Release, library: Library, plan: Plan, within_s: float | None = None
) -> Model:
    """Open what a plan names.

    Raises:
        Transient: it is not there yet, or not within so many seconds.
        Unusable: it cannot be used.

    """
    if plan.artifact is None:
        return release.prior
    try:
        async with asyncio.timeout(within_s):
            return await library.open(plan.artifact, release.trial)
    except TimeoutError as error:
        raise Transient(f"version {plan.version} is being opened: try again") from error

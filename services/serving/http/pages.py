"""GET /models: who decides, and what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.serving.domain.timeline import FROM_THE_BEGINNING, Timeline
from services.serving.ports import Library
from shared.clock import Clock


def routes(
    timelines: Callable[[], Mapping[str, Timeline]], library: Library, clock: Clock
) -> list[Route]:
    """List the routes.

    Args:
        timelines: answers the timeline of every model.
        library: holds the models.
        clock: tells which plan holds now.

    """

    async def models(_: Request) -> Response:
        now = clock().timestamp() * 1000
        return JSONResponse(
            {model: described(line, library, now) for model, line in timelines().items()}
        )

    return [Route("/models", models)]


def described(timeline: Timeline, library: Library, now: float) -> dict[str, Any]:
    """Describe one model's plans: champion, who decides now, state of every version."""
    loaded, unusable = library.loaded(), library.unusable()
    choices = list(timeline.choices(timeline.in_force(now)))
    standing = next((plan for plan in choices if plan.artifact not in unusable), choices[0])
    return {
        "champion": timeline.plans[-1].version,
        "plan": standing.plan_id,
        "version": standing.version,
        "versions": [
            {
                "version": plan.version,
                "plan": plan.plan_id,
                "since_ms": None if since == FROM_THE_BEGINNING else int(since),
                "artifact": plan.artifact,
                "loaded": plan.artifact is None or plan.artifact in loaded,
                "trouble": unusable.get(plan.artifact or ""),
            }
            for since, plan in zip(timeline.times, timeline.plans, strict=True)
        ],
    }

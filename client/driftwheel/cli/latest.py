"""drift show: how far the latest window lies from the baseline, and who is close to an alarm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from driftwheel.cli.output import AsJson, columns, document, line
from driftwheel.cli.session import client, run
from driftwheel.errors import NotFound

MOST_FEATURES = 20


def show(
    ctx: typer.Context,
    model: Annotated[str, typer.Argument(help="Name of the model.")],
    as_json: AsJson = False,
) -> None:
    """Show the latest window: evidence of each detector, features, the estimate without labels."""
    latest = run(_latest(ctx, model))
    if as_json:
        document(latest)
    else:
        tell(latest)


async def _latest(ctx: typer.Context, model: str) -> Mapping[str, Any]:
    async with client(ctx) as connected:
        await connected.declaration(model)
        async with connected.facts("drift.measured") as stream:
            found = [fact for fact in await stream.past() if fact and fact.model == model]
    if not found:
        raise NotFound(
            f"No window of {model!r} has been measured yet. The declared prior has no baseline; "
            "the first trained version has one, and its first window is told when it is over."
        )
    return max(found, key=lambda fact: (fact.content["window"]["end"], fact.appended_ms)).content


def tell(latest: Mapping[str, Any]) -> None:
    """Print one `drift.measured`."""
    window, estimate = latest["window"], latest["estimate"]
    line(f"{latest['model']} {latest['version']}, {window['start']} to {window['end']}")
    line(f"{latest['n']:,} predictions")
    line("")
    level = latest["level"]
    evidence = sorted(latest["evidence"].items(), key=lambda pair: -pair[1])
    columns(
        ("detector", "evidence", "of the level"),
        [(name, f"{d:.3g}", f"{d / level:.1%}") for name, d in evidence],
    )
    line("")
    ranked = sorted(latest["features"].items(), key=lambda pair: -pair[1]["psi"])
    columns(
        ("feature (for display: no alarm)", "psi", "js", "missing", "unseen"),
        [
            (name, *(float(of[title]) for title in ("psi", "js", "missing", "unseen")))
            for name, of in ranked[:MOST_FEATURES]
        ],
    )
    if len(ranked) > MOST_FEATURES:
        line(
            f"... and {len(ranked) - MOST_FEATURES} more that have moved less; --json has them all"
        )
    line("")
    loss = "none" if estimate["loss"] is None else f"{estimate['loss']:.4f}"
    trust = "" if estimate["valid"] else f", NOT to be trusted: {'; '.join(estimate['reasons'])}"
    line(f"loss without labels, an estimate: {loss}{trust}")
    for one in latest.get("unmonitorable", ()):
        line(f"hard to watch: {one}")

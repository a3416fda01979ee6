"""The report of a run: figures from the books, and what a frozen model would have brought."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.table import Table

from examples.demo.ground import DemoError, Ground
from examples.demo.ledger import Ledger


async def frozen(
    ground: Ground, declaration: Path, model: str, train_before: datetime, score_from: datetime
) -> dict[str, Any]:
    """Train once on all labels known before `train_before`, with the trainer of the platform.

    Returns:
        Its mean loss and cost on the labelled outcomes of events from `score_from` on, and those
        of the prior and of what was served, on the same rows.

    Raises:
        DemoError: the trainer failed.

    """
    with tempfile.TemporaryDirectory() as folder:
        job, out = Path(folder) / "job.json", Path(folder) / "out.json"
        spec = {
            "declaration": str(declaration),
            "rows": {"uri": str(ground.offline / model), "version": None},
            "train_before": train_before.isoformat(),
            "score_from": score_from.isoformat(),
            "score_until": None,
            "out": str(out),
        }
        job.write_text(json.dumps(spec))
        trainer = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.training.run", str(job)),
            env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE"},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        _, trouble = await trainer.communicate()
        if trainer.returncode:
            raise DemoError(f"The trainer failed: {trouble.decode(errors='replace')[-2000:]}")
        result: dict[str, Any] = json.loads(out.read_text())
        return result


def compared(ledger: Ledger, alone: dict[str, Any] | None, metric: str) -> dict[str, Any]:
    """Set side by side what was served, the frozen model and the prior."""
    alone = alone or {}
    prior = alone.get("prior", {})
    return {
        metric: {
            "served": ledger.loss.value,
            "frozen_january": alone.get(metric),
            "prior": prior.get(metric),
        },
        "cost": {
            "served": ledger.spent.value,
            "frozen_january": alone.get("cost"),
            "prior": prior.get("cost"),
        },
    }


def summary(report: dict[str, Any], metric: str) -> RenderableType:
    """Lay the report out for a reader."""
    table = Table(title="What came of it", show_header=False, box=None, pad_edge=False)
    counts = ("events", "predictions", "labels", "outcomes", "unlabelled", "pending")
    for name in (*counts, "quarantined", "lost", "duplicates"):
        table.add_row(name, f"{report[name]:,}")
    for name in (metric, "cost"):
        shown = [f"{who} {value:.4f}" for who, value in report[name].items() if value is not None]
        table.add_row(f"{name} (matured, from {report['scored_from']})", "   ".join(shown))
    for version in report["versions"]:
        became = "[green]promoted[/]" if version["promoted"] else "[yellow]refused[/]"
        trained = (version["trained_at"] or "")[:10]
        row = f"{became} {version['algorithm']} on {version['rows']:,} rows until {trained}"
        table.add_row(version["version"], f"{row}\n{version['why']}")
    for decision, number in report["decisions"].items():
        table.add_row(decision, str(number))
    table.add_row("seconds to the first prediction", f"{report['seconds_to_first_prediction']:.1f}")
    table.add_row("seconds until all was settled", f"{report['seconds_to_settle']:.1f}")
    table.add_row("seconds in all", f"{report['wall_seconds']:.0f}")
    if memory := report["peak_rss_mb"]:
        peak = f"services {memory['ours']:.0f}, Kafka {memory['kafka']:.0f}"
        table.add_row("peak memory, MB", peak)
    return table

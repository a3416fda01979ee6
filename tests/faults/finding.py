"""What a trial has shown, and the table and file of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from tests.faults.history import Verdict


@dataclass(frozen=True)
class Finding:
    """One row.

    Attributes:
        fault: what was done.
        bound: what has to hold.
        held: whether it did.
        lost: acknowledged to the sender, and an effect is missing.
        duplicates: visible to users; see `history.Verdict`.
        recovery_s: from the fault, or from its end, to the first new effect; see the scenario.
        copies: records of the logs beyond the first of their id.
        sent: records.
        breaches: what did not hold, in words.
        late: which times were not kept; a busy machine keeps none.
        detail: further figures.
        took_s: wall seconds of the trial.

    """

    fault: str
    bound: str
    held: bool
    lost: int
    duplicates: int
    recovery_s: float | None
    copies: int
    sent: int
    breaches: tuple[str, ...] = ()
    late: tuple[str, ...] = ()
    detail: Mapping[str, object] = field(default_factory=dict)
    took_s: float = 0.0

    @classmethod
    def of(
        cls,
        fault: str,
        bound: str,
        verdict: Verdict,
        checks: Mapping[str, bool],
        *,
        sent: int,
        times: Mapping[str, bool] | None = None,
        recovery_s: float | None = None,
        detail: Mapping[str, object] | None = None,
    ) -> Finding:
        """Hold a verdict, and what else was promised, against the bound.

        Args:
            fault: what was done.
            bound: in the words of the matrix.
            verdict: of the history.
            checks: further promise -> whether it was kept.
            sent: records.
            times: further promise about time -> whether it was kept.
            recovery_s: see the class.
            detail: further figures.

        """
        broken = (*verdict.complaints(), *_broken(checks))
        late = _broken(times or {})
        return cls(
            fault,
            bound,
            not broken and not late,
            len(verdict.lost),
            len(verdict.duplicates),
            None if recovery_s is None else round(recovery_s, 2),
            verdict.copies,
            sent,
            broken,
            late,
            detail or {},
        )


def table_of(findings: Sequence[Finding]) -> Table:
    """Lay out findings, one row each."""
    table = Table(title="Faults", title_justify="left")
    for column in ("fault", "held", "lost", "visible dup.", "recovery s", "log copies", "bound"):
        table.add_column(column, overflow="fold")
    for one in findings:
        recovery = "" if one.recovery_s is None else f"{one.recovery_s:.2f}"
        held = "[green]yes[/]" if one.held else "[red]NO[/]"
        numbers = (str(one.lost), str(one.duplicates), recovery, str(one.copies))
        table.add_row(one.fault, held, *numbers, one.bound)
    return table


def write(findings: Sequence[Finding], file: Path) -> None:
    """Write findings as a JSON list."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps([asdict(one) for one in findings], indent=2) + "\n")


def line_of(one: Finding) -> str:
    """Tell one finding as it comes."""
    verdict = "[green]held  [/]" if one.held else "[red]BROKEN[/]"
    recovery = "" if one.recovery_s is None else f", recovery {one.recovery_s:.2f} s"
    what = f"{one.sent} sent, {one.lost} lost, {one.duplicates} duplicates{recovery}"
    breaches = "".join(f"\n         {escape(breach)}" for breach in (*one.breaches, *one.late))
    return f"{verdict} {escape(one.fault)}: {what}; {one.took_s:.0f} s{breaches}"


def _broken(promises: Mapping[str, bool]) -> tuple[str, ...]:
    return tuple(f"not: {text}" for text, kept in promises.items() if not kept)

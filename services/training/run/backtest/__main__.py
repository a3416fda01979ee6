"""`python -m services.training.run.backtest`: a question on standard input, JSON lines out."""

from __future__ import annotations

import argparse
import base64
import json
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from services.training.ports import Question
from services.training.run.backtest.candidates import Candidates
from services.training.run.backtest.history import History
from services.training.run.backtest.report import report
from services.training.run.backtest.simulation import maturity_of, replay
from services.training.run.dataset import Rows, microseconds, read
from services.training.run.evaluation import moment
from services.training.run.machine import stand_back, threads

NOT_UNDERSTOOD = 2


def main() -> None:
    """Answer; a question that has no answer ends with code 2 and says why."""
    parser = argparse.ArgumentParser(prog="python -m services.training.run.backtest")
    parser.add_argument("--parent", type=int, help="process to die with")
    parser.add_argument("--threads", type=int, default=threads(), help="changes no bit of a model")
    arguments = parser.parse_args()
    stand_back(arguments.parent)
    try:
        question = Question.model_validate_json(sys.stdin.buffer.read())
        _tell({"result": answer(question, Progress(len(question.policies)), arguments.threads)})
    except ValueError as error:
        print(error, file=sys.stderr)
        sys.exit(NOT_UNDERSTOOD)


class Progress:
    """Tells how far the replay has come.

    Args:
        policies: how many there are.

    """

    def __init__(self, policies: int) -> None:
        self.policies, self.before, self.share, self.name = policies, 0, 0.0, ""

    def begin(self, name: str) -> None:
        """Tell of a policy."""
        self.name = name
        self._tell("the first windows")

    def advance(self, share: float, said: str) -> None:
        """Tell of a share of this policy."""
        self.share = share
        self._tell(said)

    def fitting(self, about: Mapping[str, object]) -> None:
        """Tell of a trial."""
        if "name" in about:
            self._tell(f"trains: {about['name']}")

    def end(self) -> None:
        """Go on to the next policy."""
        self.before, self.share = self.before + 1, 0.0

    def _tell(self, said: str) -> None:
        done = (self.before + self.share) / self.policies
        _tell({"done": round(done, 4), "policy": self.name, "said": said})


def answer(question: Question, progress: Progress, threads: int) -> dict[str, Any]:
    """Replay every policy.

    Raises:
        ValueError: there is nothing to replay, or a policy has a field that there is not.

    """
    history, start, end = stream(question)
    candidates = Candidates(history, threads, progress.fitting)
    replays = []
    for policy in question.policies:
        progress.begin(policy.name)
        replays.append(
            replay(
                history,
                candidates,
                policy,
                start=start,
                end=end,
                run_time=question.run_time,
                advance=lambda at: progress.advance(
                    (at - start) / (end - start), f"{moment(at):%Y-%m-%d}"
                ),
            )
        )
        progress.end()
    result = report(history, replays, start, end)
    if question.picture:
        from services.training.run.backtest.picture import drawn

        result["picture"] = base64.b64encode(drawn(result, question.picture)).decode()
    return result


def stream(question: Question) -> tuple[History, int, int]:
    """Read the outcomes, and between which times to replay them, microseconds.

    Raises:
        ValueError: there is no event in the span.

    """
    stored = read(question.uri, None, question.declaration, until=question.end)
    filled = stored.labelled() if question.declaration.spec.label.missing == "negative" else stored
    if not len(filled):
        raise ValueError(f"there are no outcomes until {question.end}; {_kept(question)}")
    first, last = int(filled.times[0]), int(filled.times[-1])
    start = first if question.start is None else max(first, microseconds(question.start))
    end = last + 1 if question.end is None else min(last + 1, microseconds(question.end))
    rows = Rows(filled.declaration, filled.take(np.flatnonzero(filled.times < end)).table)
    if start >= end:
        raise ValueError(
            f"there are no outcomes from {question.start} until {question.end}; {_kept(question)}"
        )
    return History(rows, maturity_of(question.declaration)), start, end


def _kept(question: Question) -> str:
    kept = read(question.uri, None, question.declaration)
    if not len(kept):
        return "the offline table is empty: none has matured yet"
    return f"kept are {moment(kept.times[0])} to {moment(kept.times[-1])}"


def _tell(line: Mapping[str, object]) -> None:
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()

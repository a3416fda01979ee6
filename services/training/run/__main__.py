"""`python -m services.training.run JOB.json`: a run, or, with `score_from` in it, a look back."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path

import yaml

from contracts.declaration import Declaration
from services.training.ports import Job
from services.training.run.hindsight import Hindsight, look_back
from services.training.run.machine import stand_back, threads
from services.training.run.training import train


def main() -> None:
    """Carry out a job; the result of a run is `result.json` beside it."""
    parser = argparse.ArgumentParser(prog="python -m services.training.run", description=__doc__)
    parser.add_argument("job", type=Path)
    parser.add_argument("--parent", type=int, help="process to die with")
    parser.add_argument("--threads", type=int, default=threads(), help="changes no bit of a model")
    arguments = parser.parse_args()
    stand_back(arguments.parent)
    text = arguments.job.read_text()
    try:
        if "score_from" in json.loads(text):
            _look_back(Hindsight.model_validate_json(text), arguments.threads)
        else:
            job = Job.model_validate_json(text)
            result = train(job, threads=arguments.threads, report=_report)
            _write(arguments.job.with_name("result.json"), result.model_dump_json())
    except ValueError as error:
        sys.exit(str(error))


def _look_back(question: Hindsight, threads: int) -> None:
    declaration = question.declaration
    if isinstance(declaration, Path):
        document = yaml.safe_load(declaration.read_text())
        declaration = Declaration.model_validate_json(json.dumps(document))
    answer = look_back(question, declaration, threads=threads, report=_report)
    _write(question.out, json.dumps(answer, indent=1))


def _report(progress: Mapping[str, object]) -> None:
    print(json.dumps(progress), flush=True)


def _write(path: Path, text: str) -> None:
    """Write whole or not at all."""
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(text)
    unfinished.replace(path)


if __name__ == "__main__":
    main()

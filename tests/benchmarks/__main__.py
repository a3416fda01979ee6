"""`python -m tests.benchmarks`: how fast we are, each figure beside its ceiling and its peers."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from tests.benchmarks import chain, figures, stream
from tests.benchmarks.peers import Missing, environment

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Options:
    """What was asked for."""

    console: Console
    folder: Path
    rounds: int
    events: int
    races: list[str]
    peers: bool
    profile: Path | None

    def peer(self, name: str, *packages: str) -> Path | None:
        """Find the folder of a peer's environment; without it, say why and go on."""
        try:
            return environment(self.folder, name, *packages) if self.peers else None
        except Missing as error:
            self.console.print(str(error))
            return None


Rows = list[dict[str, Any]]


def _stream(asked: Options) -> tuple[Rows, Mapping[str, float | None]]:
    rows = stream.measure(
        asked.folder,
        asked.rounds,
        asked.events,
        asked.console.log,
        asked.races,
        quix=asked.peer("quix", "quixstreams") if "serving" in asked.races else None,
        profiles=asked.profile,
    )
    return rows, {} if asked.profile else stream.summary(rows)


def _http(asked: Options) -> tuple[Rows, Mapping[str, float | None]]:
    from tests.benchmarks import http, mlserver

    rows = http.measure(asked.rounds, asked.peer("mlserver", *mlserver.PACKAGES))
    return rows, http.summary(rows)


def _chain(asked: Options) -> tuple[Rows, Mapping[str, float | None]]:
    rows = chain.measure(asked.folder, asked.rounds, asked.events // 4, asked.console.log)
    return rows, chain.summary(rows)


def _room(name: str) -> Callable[[Options], tuple[Rows, Mapping[str, float | None]]]:
    """Measure a single room of the hot path; its figures are in none of the headlines."""
    return lambda asked: (import_module(f"tests.benchmarks.{name}").measure(asked.rounds), {})


BENCHMARKS: Mapping[str, Callable[[Options], tuple[Rows, Mapping[str, float | None]]]] = {
    "stream": _stream,
    "http": _http,
    "scorer": _room("scorer"),
    "decoding": _room("decoding"),
    "chain": _chain,
}


@app.command()
def main(
    which: Annotated[
        list[str] | None, typer.Argument(help=f"{', '.join(BENCHMARKS)}; all, unless named.")
    ] = None,
    rounds: Annotated[int, typer.Option(help="Interleaved rounds.")] = 5,
    events: Annotated[int, typer.Option(help="Events per run of a stream.")] = 320_000,
    only: Annotated[
        list[str] | None, typer.Option(help=f"Of stream: {', '.join(stream.RACES)}.")
    ] = None,
    folder: Annotated[Path, typer.Option("--json", help="Where the figures are written.")] = Path(
        ".driftwheel/bench"
    ),
    peers: Annotated[
        bool,
        typer.Option(
            help="Install the peers that need an environment of their own, and measure them too."
        ),
    ] = True,
    profile: Annotated[
        Path | None, typer.Option(help="Of stream: keep cProfile files here; no figure counts.")
    ] = None,
) -> None:
    """Measure, print tables, write JSON."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends what was started, as Ctrl-C
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    console, names = Console(), which or list(BENCHMARKS)
    if unknown := {*names, *(only or ())} - {*BENCHMARKS, *stream.RACES}:
        raise typer.BadParameter(f"there is no {', '.join(sorted(unknown))}")
    for place in filter(None, (folder, profile)):
        place.mkdir(parents=True, exist_ok=True)
    at = profile.resolve() if profile else None
    asked = Options(console, folder, rounds, events, only or list(stream.RACES), peers, at)
    for name in names:
        rows, headlines = BENCHMARKS[name](asked)
        figures.show(console, name, rows)
        if not profile:
            figures.write(folder, name, rows)
            figures.summarise(folder, headlines)


if __name__ == "__main__":
    app()

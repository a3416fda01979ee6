"""`python -m deploy.local`: start, stop, wipe and examine the stack on this machine."""

import json
import signal
from pathlib import Path
from threading import Event, Thread
from typing import Annotated

import typer

from deploy.local.doctor import examine
from deploy.local.errors import LocalError
from deploy.local.folder import Folder
from deploy.local.progress import progress
from deploy.local.stack import Plan
from deploy.local.up import detach, down, endpoints_of, fetch, overview, reset, run

app = typer.Typer(
    help="Kafka, Redis and the services on this machine, without Docker.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

FolderOption = Annotated[
    Path, typer.Option("--folder", help="Where data, logs and endpoints.json are kept.")
]
DEFAULT_FOLDER = Path(".driftwheel")


@app.command("up")
def up_command(
    folder: FolderOption = DEFAULT_FOLDER,
    detached: Annotated[
        bool, typer.Option("--detach", help="Return when all is ready; `down` stops it.")
    ] = False,
    only: Annotated[
        str | None, typer.Option(help="Start these alone, e.g. kafka,redis or kafka,redis,ingest.")
    ] = None,
    port: Annotated[
        list[str] | None, typer.Option(help="Insist on a port, e.g. kafka=9092; may be repeated.")
    ] = None,
) -> None:
    """Start everything, and start again what dies, until Ctrl-C."""
    place, plan = Folder(folder.resolve()), _plan(only, port or [])
    if not detached:
        with progress() as line:
            run(place, plan, fetch(plan, line), line, _until_signalled())
        return
    arguments = ["--folder", str(place.root)]
    arguments += [f"--only={only}"] if only else []
    arguments += [f"--port={one}" for one in port or []]
    with progress() as line:
        endpoints = endpoints_of(place) or detach(place, arguments, line)
    typer.echo(overview(place, endpoints))


@app.command("down")
def down_command(folder: FolderOption = DEFAULT_FOLDER) -> None:
    """Stop what `up` started; data is kept."""
    place = Folder(folder.resolve())
    with progress() as line:
        stopped = down(place, line)
    if stopped:
        typer.echo(f"Stopped; the data stays in {place.root}.")
    else:
        typer.echo(f"Nothing runs in {place.root}.")


@app.command("reset")
def reset_command(folder: FolderOption = DEFAULT_FOLDER) -> None:
    """Stop everything and delete its data."""
    place = Folder(folder.resolve())
    with progress() as line:
        reset(place, line)
    typer.echo(f"Nothing runs in {place.root}, and its data is gone.")


@app.command("doctor")
def doctor_command(
    folder: FolderOption = DEFAULT_FOLDER,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Examine this machine for all that `up` needs."""
    findings = examine(Folder(folder.resolve()))
    if as_json:
        typer.echo(json.dumps([finding.fields() for finding in findings], indent=2))
    else:
        for finding in findings:
            typer.echo(finding.line())
    raise typer.Exit(0 if all(finding.ok for finding in findings) else 1)


def _plan(only: str | None, ports: list[str]) -> Plan:
    names = None if only is None else [name.strip() for name in only.split(",") if name.strip()]
    pairs = [one.partition("=") for one in ports]
    for name, _, number in pairs:
        if not (number.isdecimal() and 0 < int(number) < 65536):
            raise LocalError(
                f"--port {name}={number} is not a name and a port.",
                "write it like --port kafka=9092, with a number from 1 to 65535.",
            )
    return Plan(only=names, ports={name: int(number) for name, _, number in pairs})


def _until_signalled() -> Event:
    """Return an event that Ctrl-C and SIGTERM set."""
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        # From another thread: this one may hold the event's own lock when the signal arrives.
        signal.signal(number, lambda *_: Thread(target=stop.set).start())
    return stop


def main() -> None:
    """Run the command line; an error the user can mend is two sentences, not a traceback."""
    try:
        app(prog_name="python -m deploy.local")
    except LocalError as error:
        typer.echo(f"Error: {error}", err=True)
        raise SystemExit(1) from error


if __name__ == "__main__":
    main()

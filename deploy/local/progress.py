"""One line that says what is going on: rewritten on a terminal, printed once elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.status import Status


class Progress:
    """Tells the user which stage has been reached, and how far it is."""

    def __init__(self, console: Console, status: Status) -> None:
        self._console = console
        self._status = status
        self._stage = ""

    def stage(self, text: str) -> None:
        """Begin a new stage; outside a terminal this is all that is printed of it."""
        if text == self._stage:
            return
        self._stage = text
        if self._console.is_terminal:
            self._status.update(escape(text))
        else:
            self._console.out(text, highlight=False)

    def detail(self, text: str) -> None:
        """Say how far the stage is; for terminals only."""
        self._status.update(escape(f"{self._stage} {text}"))

    def say(self, text: str) -> None:
        """Print a line that stays."""
        self._console.out(text, highlight=False)


@contextmanager
def progress(quiet: bool = False) -> Iterator[Progress]:
    """Show progress on stderr while the body runs."""
    console = Console(stderr=True, quiet=quiet)
    with console.status("") as status:
        yield Progress(console, status)

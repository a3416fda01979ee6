"""The same client without async: it runs on a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any, Self, TypeVar

from driftwheel.client import Client
from driftwheel.messages import Answer, Outcome, Prediction
from driftwheel.records import CHUNK_RECORDS, KeyOf, Publishable
from driftwheel.stream import Stream

T = TypeVar("T")


class SyncClient:
    """Takes the arguments of `Client`, and does what it does.

    >>> with SyncClient() as client:
    ...     client.publish("flight-delay", events)
    ...     for prediction in client.predictions("flight-delay", from_beginning=True): ...

    """

    def __init__(self, **arguments: Any) -> None:
        self._client = Client(**arguments)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="driftwheel", daemon=True
        )
        self._thread.start()

    def __enter__(self) -> Self:
        """Return the client itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Disconnect."""
        self.close()

    def close(self) -> None:
        """Disconnect and end the thread; may be called twice."""
        if self._loop.is_closed():
            return
        self._run(self._client.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def publish(
        self, model: str, events: Iterable[Publishable], *, key: KeyOf | None = None
    ) -> int:
        """See `Client.publish`."""
        chunks = _chunks(events)
        return sum(self._run(self._client.publish(model, chunk, key=key)) for chunk in chunks)

    def publish_labels(
        self, model: str, labels: Iterable[Publishable], *, key: KeyOf | None = None
    ) -> int:
        """See `Client.publish_labels`."""
        chunks = _chunks(labels)
        return sum(
            self._run(self._client.publish_labels(model, chunk, key=key)) for chunk in chunks
        )

    def predictions(
        self, model: str, from_beginning: bool = False, follow: bool = True
    ) -> SyncStream[Prediction]:
        """See `Client.predictions`; reading begins now, not with the first iteration."""
        return SyncStream(self._run, self._client.predictions(model, from_beginning, follow))

    def outcomes(
        self, model: str, from_beginning: bool = False, follow: bool = True
    ) -> SyncStream[Outcome]:
        """See `Client.outcomes`; reading begins now, not with the first iteration."""
        return SyncStream(self._run, self._client.outcomes(model, from_beginning, follow))

    def declaration(self, model: str) -> Mapping[str, Any]:
        """See `Client.declaration`."""
        return self._run(self._client.declaration(model))

    def apply(
        self,
        declaration: Mapping[str, Any],
        *,
        expected_revision: int | None = None,
        reason: str = "",
        at: datetime | None = None,
    ) -> Answer:
        """See `Client.apply`."""
        return self._run(
            self._client.apply(
                declaration, expected_revision=expected_revision, reason=reason, at=at
            )
        )

    def command(
        self,
        model: str,
        order: Mapping[str, Any],
        *,
        expected_revision: int | None = None,
        reason: str = "",
        at: datetime | None = None,
    ) -> Answer:
        """See `Client.command`."""
        return self._run(
            self._client.command(
                model, order, expected_revision=expected_revision, reason=reason, at=at
            )
        )

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()  # Ctrl-C ends the work too
            raise


class SyncStream(Iterator[T]):
    """A stream that is read without async, from the moment it was made.

    Close it, or use it in a `with` statement, where the loop is left early.
    """

    def __init__(self, run: Callable[[Coroutine[Any, Any, Any]], Any], stream: Stream[T]) -> None:
        self._run, self._stream = run, stream
        self._items: Iterator[T] = iter(())
        run(stream.__aenter__())

    def __enter__(self) -> Self:
        """Return the stream itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Disconnect."""
        self.close()

    def __next__(self) -> T:
        """Wait for the next item."""
        for item in self._items:
            return item
        self._items = iter(self._run(self._stream.batch()))
        for item in self._items:
            return item
        self.close()
        raise StopIteration

    def close(self) -> None:
        """Disconnect; may be called twice."""
        self._run(self._stream.__aexit__())


def _chunks(items: Iterable[Publishable]) -> Iterator[list[Publishable]]:
    """Draw from the caller's iterable on the caller's thread."""
    iterator = iter(items)
    while chunk := list(islice(iterator, CHUNK_RECORDS)):
        yield chunk

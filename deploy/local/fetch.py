"""Apache Kafka's jars: pinned, verified, fetched once and kept."""

import hashlib
import http.client
import json
import os
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from deploy.local.errors import LocalError
from deploy.local.maven import repository

LOCK = Path(__file__).with_name("kafka-jars.json")
THREADS = 8
TIMEOUT_S = 15.0
ATTEMPTS = 3


@dataclass(frozen=True)
class Jar:
    """One line of the lock: where a jar lies in a Maven repository, and what it must be."""

    coordinate: str  # group:artifact:version
    size: int
    sha256: str

    @property
    def file_name(self) -> str:
        """Its name in the repository and in our cache."""
        _, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"

    @property
    def address(self) -> str:
        """Its path below the repository's root."""
        group, artifact, version = self.coordinate.split(":")
        return f"{group.replace('.', '/')}/{artifact}/{version}/{self.file_name}"

    def is_whole(self, file: Path) -> bool:
        """Tell whether `file` exists and is this jar, byte for byte."""
        if not file.exists() or file.stat().st_size != self.size:
            return False
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest() == self.sha256


def locked_jars(lock: Path = LOCK) -> tuple[Jar, ...]:
    """Read the lock file: every jar that Kafka needs, exactly."""
    return tuple(Jar(*line) for line in json.loads(lock.read_text()))


def cache_folder() -> Path:
    """Return the folder that downloads are kept in between runs and projects."""
    if chosen := os.environ.get("DRIFTWHEEL_CACHE"):
        return Path(chosen).expanduser().resolve()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return (Path(base).expanduser() / "driftwheel").resolve()


def missing_jars(jars: Sequence[Jar], folder: Path) -> list[Jar]:
    """List the jars that are not in `folder`, or not whole; reads all that are."""
    with ThreadPoolExecutor(THREADS) as threads:
        whole = threads.map(lambda jar: jar.is_whole(folder / jar.file_name), jars)
        return [jar for jar, found in zip(jars, whole, strict=True) if not found]


def kafka_jars(
    progress: Callable[[str], None] = lambda text: None, jars: Sequence[Jar] | None = None
) -> tuple[Path, ...]:
    """Return the paths of Kafka's jars, sorted, after fetching those that are not cached.

    Args:
        progress: told how far the download is, in words.
        jars: other than those of the lock.

    Raises:
        LocalError: the repository cannot be reached or does not have exactly what is pinned.
    """
    jars = locked_jars() if jars is None else jars
    folder = cache_folder() / "jars"
    if missing := missing_jars(jars, folder):
        folder.mkdir(parents=True, exist_ok=True)
        _fetch_all(missing, folder, progress)
    return tuple(sorted(folder / jar.file_name for jar in jars))


@contextmanager
def opened(address: str, method: str = "GET") -> Iterator[IO[bytes]]:
    """Open `address`, which may be a file: if the user chose a repository on disk.

    Raises:
        OSError: it cannot be opened; urllib.error.HTTPError if the server refuses.
    """
    request = urllib.request.Request(address, method=method)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
            yield answer
    except urllib.error.HTTPError as refusal:
        refusal.close()
        raise


def _fetch_all(jars: Sequence[Jar], folder: Path, progress: Callable[[str], None]) -> None:
    source = repository()
    total, done = sum(jar.size for jar in jars), 0
    given_up = threading.Event()
    with ThreadPoolExecutor(THREADS) as threads:
        running = {threads.submit(_fetch, jar, source, folder, given_up): jar for jar in jars}
        try:
            for finished in as_completed(running):
                finished.result()
                done += running[finished].size
                progress(f"{done / 1e6:.0f} of {total / 1e6:.0f} MB")
        except BaseException:
            given_up.set()
            threads.shutdown(wait=False, cancel_futures=True)
            raise


def _fetch(jar: Jar, source: str, folder: Path, given_up: threading.Event) -> None:
    address = f"{source}/{jar.address}"
    for attempt in range(ATTEMPTS):
        try:
            _download(jar, address, folder, given_up)
            return
        except (OSError, http.client.HTTPException) as error:
            if given_up.is_set() or attempt + 1 == ATTEMPTS or not _may_pass(error):
                raise _unreachable(address, folder, error) from error
            given_up.wait(0.5 * 2**attempt)


def _may_pass(error: Exception) -> bool:
    """Tell a hiccup from a wrong address, a missing file or a machine without a network."""
    if isinstance(error, urllib.error.HTTPError):
        return error.code == 429 or error.code >= 500
    return not isinstance(error, urllib.error.URLError)  # raised while connecting only


def _unreachable(address: str, folder: Path, error: Exception) -> LocalError:
    return LocalError(
        f"Cannot fetch {address}: {error}.",
        "connect to the network for this first start (what is fetched stays in "
        f"{folder}), or set DRIFTWHEEL_MAVEN to a Maven repository you can reach, "
        "or copy that folder from a machine that has it.",
    )


def _download(jar: Jar, address: str, folder: Path, given_up: threading.Event) -> None:
    """Stream one jar to a temporary file, verify it, and only then give it its name."""
    digest = hashlib.sha256()
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".", delete=False) as temporary:
        part = Path(temporary.name)
        try:
            with opened(address) as answer:
                while block := answer.read(1 << 18):
                    if given_up.is_set():
                        raise InterruptedError("another download failed")
                    digest.update(block)
                    temporary.write(block)
            if digest.hexdigest() != jar.sha256:
                raise LocalError(
                    f"{address} is not the pinned file (its SHA-256 is {digest.hexdigest()}, "
                    f"expected {jar.sha256}); nothing of it was kept.",
                    "do not use that repository before you know why, and set DRIFTWHEEL_MAVEN "
                    "to another one.",
                )
            temporary.close()
            part.replace(folder / jar.file_name)
        finally:
            part.unlink(missing_ok=True)

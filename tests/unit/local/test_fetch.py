"""Jars are fetched once, verified, and never kept half or altered."""

import functools
import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from deploy.local.errors import LocalError
from deploy.local.fetch import Jar, cache_folder, kafka_jars, locked_jars
from deploy.local.ports import Ports

CONTENT = {f"org.some:part{n}:1.{n}": bytes([n]) * (1000 + n) for n in range(12)}
JARS = tuple(
    Jar(coordinate, len(data), hashlib.sha256(data).hexdigest())
    for coordinate, data in CONTENT.items()
)


class Repository:
    """A Maven repository on a port of its own that can be told to misbehave."""

    def __init__(self) -> None:
        self.files = {f"/{jar.address}": CONTENT[jar.coordinate] for jar in JARS}
        self.failures: dict[str, list[int]] = {}
        self.asked: list[str] = []

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.asked.append(handler.path)
        failures = self.failures.get(handler.path)
        body = self.files.get(handler.path, b"")
        handler.send_response(failures.pop(0) if failures else 200 if body else 404)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)


@pytest.fixture
def repository(monkeypatch, tmp_path) -> Iterator[Repository]:
    repository = Repository()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            repository.answer(self)

        def log_message(self, *args):
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 32

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=functools.partial(server.serve_forever, 0.02))
        thread.start()
        monkeypatch.setenv("DRIFTWHEEL_CACHE", str(tmp_path))
        monkeypatch.setenv("DRIFTWHEEL_MAVEN", f"http://127.0.0.1:{server.server_port}/")
        yield repository
        server.shutdown()
        thread.join()


def test_all_jars_come_once_and_sorted(repository):
    told = []
    paths = kafka_jars(told.append, JARS)
    assert list(paths) == sorted(paths)
    assert {path.read_bytes() for path in paths} == set(CONTENT.values())
    assert sorted(repository.asked) == sorted(repository.files)
    assert len(told) == len(JARS)
    assert kafka_jars(told.append, JARS) == paths
    assert len(repository.asked) == len(JARS)


def test_a_damaged_jar_is_fetched_again(repository):
    damaged = kafka_jars(jars=JARS)[3]
    whole = damaged.read_bytes()
    damaged.write_bytes(b"x" * len(whole))
    kafka_jars(jars=JARS)
    assert damaged.read_bytes() == whole
    assert len(repository.asked) == len(JARS) + 1


def test_an_altered_jar_is_refused_and_not_kept(repository):
    address = f"/{JARS[5].address}"
    repository.files[address] = b"y" * JARS[5].size
    with pytest.raises(LocalError, match="is not the pinned file"):
        kafka_jars(jars=JARS)
    folder = cache_folder() / "jars"
    assert not (folder / JARS[5].file_name).exists()
    assert not list(folder.glob(".*"))


def test_a_hiccup_of_the_server_is_tried_again(repository):
    address = f"/{JARS[0].address}"
    repository.failures[address] = [503]
    kafka_jars(jars=JARS[:1])
    assert repository.asked == [address, address]


def test_a_missing_jar_is_an_error_at_once(repository):
    address = f"/{JARS[0].address}"
    del repository.files[address]
    with pytest.raises(LocalError, match="404"):
        kafka_jars(jars=JARS[:1])
    assert repository.asked == [address]


def test_without_a_network_the_error_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("DRIFTWHEEL_CACHE", str(tmp_path))
    monkeypatch.setenv("DRIFTWHEEL_MAVEN", f"http://127.0.0.1:{Ports().any()}")
    with pytest.raises(LocalError, match="Cannot fetch") as caught:
        kafka_jars(jars=JARS)
    assert "DRIFTWHEEL_MAVEN" in caught.value.remedy
    assert str(tmp_path) in caught.value.remedy


def test_the_cache_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.delenv("DRIFTWHEEL_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "driftwheel"
    monkeypatch.setenv("DRIFTWHEEL_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"


def test_the_lock_pins_one_kafka_and_a_logger():
    jars = locked_jars()
    assert len({jar.file_name for jar in jars}) == len(jars)
    assert all(len(bytes.fromhex(jar.sha256)) == 32 and jar.size > 0 for jar in jars)
    kafka = [jar.coordinate for jar in jars if jar.coordinate.startswith("org.apache.kafka:")]
    assert kafka
    assert all(coordinate.endswith(":4.3.1") for coordinate in kafka)
    assert any(jar.coordinate.startswith("org.slf4j:slf4j-simple:") for jar in jars)

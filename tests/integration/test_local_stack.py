"""Kafka, Redis and supervised services as real processes, and what remains when they crash."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
import redis
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.local import census
from deploy.local.errors import LocalError
from deploy.local.fetch import kafka_jars
from deploy.local.folder import Folder, read_json
from deploy.local.ports import Ports, is_free, is_served
from deploy.local.progress import progress
from deploy.local.services import Service
from deploy.local.stack import Infrastructure, Plan, infrastructure
from deploy.local.up import run, running
from tests.polling import wait_until

APPLICATION = """
import json, os

async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    if scope["path"] == "/die":
        os._exit(3)
    body = json.dumps(dict(os.environ)).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})

def build():
    return application

def broken():
    raise RuntimeError("no model store here")
"""


def get(url: str, path: str) -> bytes:
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    except OSError:
        return b""
    finally:
        connection.close()


@pytest.fixture(scope="module")
def backbone(tmp_path_factory) -> Iterator[Infrastructure]:
    with infrastructure(tmp_path_factory.mktemp("backbone")) as running:
        yield running


async def create(address: str, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    response = await admin.create_topics([NewTopic(topic, 2, 1)])
    await admin.close()
    assert [code for _, code, *_ in response.topic_errors] == [0]


async def produce(address: str, topic: str, values: range) -> None:
    async with AIOKafkaProducer(bootstrap_servers=address, acks="all") as producer:
        for value in values:
            await producer.send_and_wait(topic, str(value).encode())


async def consume(address: str, topic: str, group: str, count: int) -> set[bytes]:
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=address, group_id=group, auto_offset_reset="earliest"
    )
    seen: set[bytes] = set()
    async with consumer:
        deadline = time.monotonic() + 20
        while len(seen) < count and time.monotonic() < deadline:
            for records in (await consumer.getmany(timeout_ms=500)).values():
                seen.update(record.value for record in records)
    return seen


async def test_what_was_acknowledged_survives_a_killed_broker(backbone):
    address, _ = backbone
    await create(address, "survivors")
    await produce(address, "survivors", range(50))
    backbone.kafka.kill()
    assert not backbone.kafka.alive
    began = time.monotonic()
    backbone.kafka.restart()
    assert time.monotonic() - began < 15
    await produce(address, "survivors", range(50, 100))
    assert await consume(address, "survivors", "after", 100) == {b"%d" % n for n in range(100)}


def test_a_killed_redis_comes_back_with_its_data(backbone):
    _, url = backbone
    with redis.Redis.from_url(url) as client:
        client.set("kept", "yes")
        wait_until(lambda: client.info("persistence")["aof_pending_bio_fsync"] == 0)
    backbone.redis.kill()
    backbone.redis.restart()
    with redis.Redis.from_url(url) as client:
        assert client.get("kept") == b"yes"


async def test_the_next_run_finds_the_data_on_other_ports(tmp_path):
    with infrastructure(tmp_path) as (first, _):
        await create(first, "kept")
        await produce(first, "kept", range(10))
    with infrastructure(tmp_path) as (second, _):
        assert second != first
        assert len(await consume(second, "kept", "later", 10)) == 10


def test_nothing_runs_after_the_block(tmp_path):
    with infrastructure(tmp_path) as ended:
        pids = (ended.kafka.pid, ended.redis.pid)
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert is_free(ended.kafka.port)
    assert is_free(ended.redis.port)


def test_a_broker_that_cannot_start_shows_the_end_of_its_log(tmp_path):
    with infrastructure(tmp_path) as stopped:
        pass
    broken = stopped.kafka
    (tmp_path / "kafka" / "data" / "meta.properties").write_text("version=1\ncluster.id=x\n")
    with pytest.raises(LocalError, match=r"kafka ended with exit code \d+\. Its last lines"):
        broken.restart()
    assert "kafka.log" in str(broken.failure("fell"))


def test_a_port_taken_while_kafka_was_down_is_named(tmp_path):
    with infrastructure(tmp_path) as own:
        own.kafka.stop()
        with (
            socket.create_server(("127.0.0.1", own.kafka.port)),
            pytest.raises(LocalError, match=f"Port {own.kafka.port} for Kafka is taken"),
        ):
            own.kafka.start()


# Services: a small table of our own under the real supervisor, without Kafka to be quick.


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Folder:
    (tmp_path / "small_service.py").write_text(APPLICATION)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return Folder(tmp_path / "stack")


def plan(*factories: str) -> Plan:
    free = Ports()
    rows = [
        Service(f"service{n}", ("uvicorn", f"small_service:{factory}", "--factory"), free.any())
        for n, factory in enumerate(factories)
    ]
    return Plan(services=rows, only=("redis", *(row.name for row in rows)))


@pytest.fixture
def supervised(folder) -> Iterator[dict[str, Any]]:
    cancel = threading.Event()
    with progress(quiet=True) as line:
        supervisor = threading.Thread(
            target=run, args=(folder, plan("build", "build"), (), line, cancel)
        )
        supervisor.start()
        yield wait_until(lambda: read_json(folder.endpoints))
        cancel.set()
        supervisor.join(30)
    assert not supervisor.is_alive()


def test_services_are_ready_and_know_their_surroundings(supervised, folder):
    for url in supervised["services"].values():
        told = json.loads(get(url, "/"))
        assert told["DRIFTWHEEL_REDIS"] == supervised["redis"]
        assert Path(told["DRIFTWHEEL_STATE"]) == folder.state
        assert Path(told["DRIFTWHEEL_STATE"]).is_dir()
    assert supervised["pids"]["supervisor"] == os.getpid()


@pytest.mark.parametrize("name", ["service1", "redis"])
def test_what_is_killed_comes_back_where_it_was(supervised, folder, name):
    victim = supervised["pids"][name]
    os.kill(victim, signal.SIGKILL)
    after = wait_until(lambda: (e := read_json(folder.endpoints))["pids"][name] != victim and e)
    assert after["services"] == supervised["services"]
    assert after["redis"] == supervised["redis"]
    address = urlsplit(after["services"].get(name, after["redis"]))
    wait_until(lambda: is_served(address.port))


def test_a_service_that_ends_by_itself_comes_back(supervised, folder):
    url, before = supervised["services"]["service0"], supervised["pids"]["service0"]
    get(url, "/die")
    wait_until(lambda: read_json(folder.endpoints)["pids"]["service0"] != before)
    assert wait_until(lambda: get(url, "/"))


def test_only_one_supervisor_per_folder(supervised, folder):
    with (
        progress(quiet=True) as line,
        pytest.raises(LocalError, match="already"),
        running(folder, plan("build"), (), line, threading.Event()),
    ):
        pass


def test_stopping_leaves_nothing(folder):
    with (
        progress(quiet=True) as line,
        running(folder, plan("build"), (), line, threading.Event()) as stack,
    ):
        pids = [process.pid for process in stack.processes]
        assert folder.endpoints.exists()
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert not folder.endpoints.exists()
    assert not folder.processes.exists()


def test_a_service_that_cannot_start_ends_everything_and_says_why(folder):
    with (
        progress(quiet=True) as line,
        pytest.raises(LocalError, match="service1 ended with exit code") as caught,
        running(folder, plan("build", "broken"), (), line, threading.Event()),
    ):
        pass
    assert "RuntimeError: no model store here" in caught.value.problem
    assert not folder.processes.exists()


# The command line, as a user has it.


def command(folder: Folder, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (sys.executable, "-m", "deploy.local", *words, "--folder", str(folder.root)),
        capture_output=True,
        text=True,
        timeout=90,
    )


def pids_of(folder: Folder) -> dict[str, int]:
    return {entry.name: entry.pid for entry in census.read(folder.processes)}


@pytest.fixture
def detached(folder) -> Iterator[Folder]:
    kafka_jars()
    up = command(folder, "up", "--detach", "--only", "kafka,redis")
    assert up.returncode == 0, up.stderr
    yield folder
    command(folder, "down")


def test_up_and_down(detached):
    endpoints = read_json(detached.endpoints)
    assert is_served(int(endpoints["kafka"].rpartition(":")[2]))
    assert set(endpoints["pids"]) == {"supervisor", "kafka", "redis"}
    again = command(detached, "up", "--detach", "--only", "kafka,redis")
    assert endpoints["kafka"] in again.stdout
    down = command(detached, "down")
    assert down.returncode == 0
    assert "Stopped" in down.stdout
    assert not any(psutil.pid_exists(pid) for pid in endpoints["pids"].values())
    assert not detached.endpoints.exists()
    assert "Nothing runs" in command(detached, "down").stdout
    assert (detached.kafka / "data" / "meta.properties").exists()
    assert command(detached, "reset").returncode == 0
    assert not detached.kafka.exists()


def test_a_killed_supervisor_leaves_no_orphans(detached):
    pids = pids_of(detached)
    os.kill(pids["supervisor"], signal.SIGKILL)
    wait_until(lambda: not any(psutil.pid_exists(pids[name]) for name in ("kafka", "redis")))


def test_the_next_up_ends_what_a_killed_supervisor_left(detached):
    pids = pids_of(detached)
    os.kill(pids["supervisor"], signal.SIGKILL)
    again = command(detached, "up", "--detach", "--only", "kafka,redis")
    assert again.returncode == 0, again.stderr
    assert set(pids.values()).isdisjoint(pids_of(detached).values())


def test_a_taken_port_is_named_with_the_way_out(folder):
    with socket.create_server(("127.0.0.1", Ports().any())) as server:
        port = server.getsockname()[1]
        up = command(folder, "up", "--only", "redis", "--port", f"redis={port}")
    assert up.returncode == 1
    assert f"Port {port} for redis is taken" in up.stderr
    assert "--port redis=NUMBER" in up.stderr

